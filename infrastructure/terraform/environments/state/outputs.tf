output "bucket_name" {
  description = "Bucket of the states."
  value       = module.state.bucket_name
}

output "cloud" {
  description = "Which cloud this state describes: kind (local or aws), account and region."
  value       = module.cloud.cloud
}
