locals {
  availability_zones = coalescelist(var.availability_zones, ["${var.region}a", "${var.region}b"])

  # How a task finds its database and its cache.
  container_environment = {
    DATABASE_HOST = module.database.address
    DATABASE_PORT = tostring(module.database.port)
    DATABASE_NAME = module.database.database_name
    DATABASE_USER = module.database.username
    REDIS_URL     = module.cache.connection_string
  }
  container_secrets = {
    DATABASE_PASSWORD = module.secrets.database_password_arn
    JWT_SECRET        = module.secrets.jwt_secret_arn
    API_KEYS          = module.secrets.api_keys_arn
  }
}

data "aws_caller_identity" "this" {}

module "cloud" {
  source = "../../modules/cloud"

  region = var.region
  session = {
    workspace         = terraform.workspace
    account_id        = var.account_id
    caller_account_id = data.aws_caller_identity.this.account_id
    caller_arn        = data.aws_caller_identity.this.arn
  }
}

module "network" {
  source = "../../modules/network"

  name               = var.name
  environment        = var.environment
  vpc_cidr           = var.vpc_cidr
  availability_zones = local.availability_zones
}

module "security_groups" {
  source = "../../modules/security_groups"

  name           = var.name
  environment    = var.environment
  vpc_id         = module.network.vpc_id
  container_port = var.container_port
}

module "roles" {
  source = "../../modules/roles"

  name        = var.name
  environment = var.environment
  account_id  = var.account_id
  region      = var.region
  secret_arns = [module.secrets.database_password_arn, module.secrets.jwt_secret_arn, module.secrets.api_keys_arn]
}

module "registry" {
  source = "../../modules/registry"

  repository_name = coalesce(var.repository_name, "${var.name}-web-api")
  force_delete    = var.repository_force_delete
}

module "logs" {
  source = "../../modules/logs"

  name                 = var.name
  environment          = var.environment
  retention_days       = var.log_retention_days
  audit_retention_days = var.audit_retention_days
}

module "load_balancer" {
  source = "../../modules/load_balancer"

  name                          = var.name
  environment                   = var.environment
  vpc_id                        = module.network.vpc_id
  subnet_ids                    = module.network.public_subnet_ids
  security_group_ids            = [module.security_groups.alb_security_group_id]
  container_port                = var.container_port
  health_check_path             = var.health_check_path
  health_check_interval_seconds = var.health_check_interval_seconds
  deregistration_delay_seconds  = var.deregistration_delay_seconds
}

module "service" {
  source = "../../modules/service"

  name                              = var.name
  environment                       = var.environment
  region                            = var.region
  family                            = coalesce(var.task_family, "${var.name}-app-${var.environment}")
  container_name                    = coalesce(var.container_name, "${var.name}-app")
  container_port                    = var.container_port
  container_environment             = merge(local.container_environment, var.container_environment)
  container_secrets                 = local.container_secrets
  ecr_image_uri                     = var.ecr_image_uri
  initial_image                     = "${module.registry.repository_url}:${var.image_tag}"
  task_cpu                          = var.task_cpu
  task_memory                       = var.task_memory
  execution_role_arn                = module.roles.execution_role_arn
  task_role_arn                     = module.roles.task_role_arn
  log_group_name                    = module.logs.log_group_name
  subnet_ids                        = module.network.private_subnet_ids
  security_group_ids                = [module.security_groups.ecs_security_group_id]
  target_group_arn                  = module.load_balancer.target_group_arn
  desired_count                     = var.desired_count
  health_check_grace_period_seconds = var.health_check_grace_period_seconds
}
