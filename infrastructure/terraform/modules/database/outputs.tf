output "endpoint" {
  description = "Where the database answers: <address>:<port>."
  value       = aws_db_instance.this.endpoint
}

output "address" {
  description = "Its address."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Its port."
  value       = aws_db_instance.this.port
}

output "identifier" {
  description = "Identifier of the DB instance."
  value       = aws_db_instance.this.identifier
}

output "database_name" {
  description = "Name of the database in it."
  value       = aws_db_instance.this.db_name
}

output "username" {
  description = "Name of its user."
  value       = aws_db_instance.this.username
}
