# How many tasks run, who is told, what it may cost, and who may change it.

module "scaling" {
  source = "../../modules/scaling"

  name                       = var.name
  environment                = var.environment
  cluster_name               = module.service.cluster_name
  service_name               = module.service.service_name
  load_balancer_suffix       = module.load_balancer.alb_arn_suffix
  target_group_suffix        = module.load_balancer.target_group_arn_suffix
  minimum_tasks              = var.min_tasks
  maximum_tasks              = var.max_tasks
  cpu_target_percent         = var.scaling_cpu_target_percent
  memory_target_percent      = var.scaling_memory_target_percent
  requests_per_target        = var.scaling_requests_per_target
  scale_out_cooldown_seconds = var.scale_out_cooldown_seconds
  scale_in_cooldown_seconds  = var.scale_in_cooldown_seconds
}

module "alarms" {
  source = "../../modules/alarms"

  name                     = var.name
  environment              = var.environment
  account_id               = var.account_id
  region                   = var.region
  cluster_name             = module.service.cluster_name
  service_name             = module.service.service_name
  load_balancer_suffix     = module.load_balancer.alb_arn_suffix
  database_identifier      = module.database.identifier
  cache_cluster_id         = module.cache.cluster_id
  emails                   = var.alarm_emails
  cpu_threshold_percent    = var.alarm_cpu_threshold_percent
  memory_threshold_percent = var.alarm_memory_threshold_percent
  minimum_tasks            = var.min_tasks
}

module "budget" {
  source = "../../modules/budget"

  name              = var.name
  environment       = var.environment
  monthly_limit_usd = var.monthly_budget_usd
  topic_arn         = module.alarms.topic_arn
}

module "lock_table" {
  source = "../../modules/lock_table"

  name        = var.name
  environment = var.environment
}

module "deploy_policy" {
  source = "../../modules/deploy_policy"

  name                 = var.name
  environment          = var.environment
  account_id           = var.account_id
  region               = var.region
  repository_arn       = module.registry.repository_arn
  cluster_name         = module.service.cluster_name
  service_name         = module.service.service_name
  task_family          = coalesce(var.task_family, "${var.name}-app-${var.environment}")
  log_group_name       = module.logs.log_group_name
  lock_table_name      = module.lock_table.table_name
  audit_log_group_name = module.logs.audit_log_group_name
  image_parameter_name = module.service.image_parameter_name
  execution_role_arn   = module.roles.execution_role_arn
  task_role_arn        = module.roles.task_role_arn
}

module "operator_policy" {
  source = "../../modules/operator_policy"

  name                 = var.name
  environment          = var.environment
  account_id           = var.account_id
  region               = var.region
  cluster_name         = module.service.cluster_name
  service_name         = module.service.service_name
  log_group_name       = module.logs.log_group_name
  lock_table_name      = module.lock_table.table_name
  audit_log_group_name = module.logs.audit_log_group_name
  image_parameter_name = module.service.image_parameter_name
  low_tasks_alarm_name = module.alarms.low_tasks_alarm_name
  secret_arns          = [module.secrets.database_password_arn, module.secrets.jwt_secret_arn, module.secrets.api_keys_arn]
}
