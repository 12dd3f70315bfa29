output "bucket_name" {
  description = "Name of the bucket, once it keeps versions and refuses the public."
  value       = aws_s3_bucket.this.bucket

  depends_on = [
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_policy.this,
  ]
}
