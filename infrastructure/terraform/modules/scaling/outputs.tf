output "resource_id" {
  description = "The scalable target: service/<cluster>/<service>."
  value       = aws_appautoscaling_target.this.resource_id
}
