output "database_password_arn" {
  description = "ARN of the secret with the database's password, once it has a value: a task started earlier fails."
  value       = aws_secretsmanager_secret.this["database-password"].arn

  depends_on = [aws_secretsmanager_secret_version.this]
}

output "database_password_written_arn" {
  description = "The same ARN, but unknown while a new value is still to be written: who opens the secret by it gets the new one."
  value       = aws_secretsmanager_secret_version.this["database-password"].arn
}

output "jwt_secret_arn" {
  description = "ARN of the secret with the signing key, once it has a value."
  value       = aws_secretsmanager_secret.this["jwt-secret"].arn

  depends_on = [aws_secretsmanager_secret_version.this]
}

output "api_keys_arn" {
  description = "ARN of the secret with the API keys, once it has a value."
  value       = aws_secretsmanager_secret.this["api-keys"].arn

  depends_on = [aws_secretsmanager_secret_version.this]
}
