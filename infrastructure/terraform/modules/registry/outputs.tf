output "repository_url" {
  description = "What docker push takes: <account>.dkr.ecr.<region>.amazonaws.com/<repository>."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_name" {
  description = "Name of the repository."
  value       = aws_ecr_repository.this.name
}

output "repository_arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this.arn
}
