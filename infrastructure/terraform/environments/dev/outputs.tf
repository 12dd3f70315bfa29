output "alb_dns_name" {
  description = "Where the service answers: http://<this>/"
  value       = module.load_balancer.dns_name
}

output "target_group_arn" {
  description = "ARN of the target group."
  value       = module.load_balancer.target_group_arn
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = module.service.cluster_name
}

output "service_name" {
  description = "Name of the ECS service."
  value       = module.service.service_name
}

output "container_name" {
  description = "Name of the container in the tasks."
  value       = module.service.container_name
}

output "task_definition_arn" {
  description = "ARN of the task definition without a revision: its newest one."
  value       = module.service.task_definition_arn
}

output "image_parameter_name" {
  description = "SSM parameter that says which image runs."
  value       = module.service.image_parameter_name
}

output "log_group_name" {
  description = "Log group of the tasks."
  value       = module.logs.log_group_name
}

output "ecr_repository_url" {
  description = "Repository of the image."
  value       = module.registry.repository_url
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "cloud" {
  description = "Which cloud this state describes: kind (local or aws), account and region."
  value       = module.cloud.cloud
}

output "rds_endpoint" {
  description = "Where the database answers: <address>:<port>."
  value       = module.database.endpoint
}

output "database_identifier" {
  description = "Identifier of the DB instance."
  value       = module.database.identifier
}

output "database_name" {
  description = "Name of the database."
  value       = module.database.database_name
}

output "database_user" {
  description = "Name of its user; the password is in the secret <name>/<environment>/database-password."
  value       = module.database.username
}

output "redis_endpoint" {
  description = "Address of the cache."
  value       = module.cache.address
}

output "redis_connection_string" {
  description = "URL of the cache: redis://<address>:<port>."
  value       = module.cache.connection_string
}

output "alarm_topic_arn" {
  description = "Topic that alarms and the budget write to."
  value       = module.alarms.topic_arn
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.alarms.dashboard_name
}

output "audit_log_group_name" {
  description = "Log group of the audit."
  value       = module.logs.audit_log_group_name
}

output "lock_table_name" {
  description = "DynamoDB table of the operations' locks."
  value       = module.lock_table.table_name
}

output "deploy_policy_arn" {
  description = "Policy for whoever deploys."
  value       = module.deploy_policy.policy_arn
}

output "operator_policy_arn" {
  description = "Policy for whoever operates."
  value       = module.operator_policy.policy_arn
}
