output "policy_arn" {
  description = "ARN of the policy; attach it to whoever operates."
  value       = aws_iam_policy.this.arn
}
