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
