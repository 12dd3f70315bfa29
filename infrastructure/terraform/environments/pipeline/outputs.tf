output "deploy_role_arn" {
  description = "Role of the deploying job: variable AWS_DEPLOY_ROLE_ARN of the repository on GitHub."
  value       = module.pipeline.deploy_role_arn
}

output "plan_role_arn" {
  description = "Role of the planning job: variable AWS_PLAN_ROLE_ARN of the repository on GitHub."
  value       = module.pipeline.plan_role_arn
}

output "cloud" {
  description = "Which cloud this state describes: kind (local or aws), account and region."
  value       = module.cloud.cloud
}
