output "cloud" {
  description = "The cloud that the state describes: kind (local or aws), account and region."
  value       = terraform_data.this.output
}
