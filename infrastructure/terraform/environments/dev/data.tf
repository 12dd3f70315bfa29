# What must last, what may be lost, and what nobody may read.

module "secrets" {
  source = "../../modules/secrets"

  name                      = var.name
  environment               = var.environment
  recovery_window_days      = var.secret_recovery_window_days
  database_password_version = var.database_password_version
  jwt_secret_version        = var.jwt_secret_version
  api_keys_version          = var.api_keys_version
}

module "database" {
  source = "../../modules/database"

  name                  = var.name
  environment           = var.environment
  subnet_ids            = module.network.private_subnet_ids
  security_group_ids    = [module.security_groups.rds_security_group_id]
  password_secret_arn   = module.secrets.database_password_written_arn
  password_version      = var.database_password_version
  instance_class        = var.database_instance_class
  engine_version        = var.database_engine_version
  parameters            = var.database_parameters
  multi_az              = var.database_multi_az
  backup_retention_days = var.database_backup_retention_days
  deletion_protection   = var.database_deletion_protection
  skip_final_snapshot   = var.database_skip_final_snapshot
  apply_immediately     = var.apply_immediately
}

module "cache" {
  source = "../../modules/cache"

  name               = var.name
  environment        = var.environment
  subnet_ids         = module.network.private_subnet_ids
  availability_zone  = local.availability_zones[0]
  security_group_ids = [module.security_groups.redis_security_group_id]
  node_type          = var.cache_node_type
  engine_version     = var.cache_engine_version
  parameters         = var.cache_parameters
  apply_immediately  = var.apply_immediately
}
