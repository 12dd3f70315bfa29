output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "service_name" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "task_definition_arn" {
  description = "ARN of the task definition without a revision, which names its newest one. With the revision, each deployment would change an output and so the plan."
  value       = aws_ecs_task_definition.this.arn_without_revision
}

output "container_name" {
  description = "Name of the container."
  value       = var.container_name
}

output "image_parameter_name" {
  description = "Name of the SSM parameter that says which image runs."
  value       = aws_ssm_parameter.image.name
}
