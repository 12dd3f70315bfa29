output "dns_name" {
  description = "Name under which the load balancer answers; it carries the port where that is not 80."
  value       = aws_lb.this.dns_name
}

output "alb_arn" {
  description = "ARN of the load balancer."
  value       = aws_lb.this.arn
}

output "target_group_arn" {
  description = "ARN of the target group, once the listener forwards to it: ECS refuses a group without a load balancer."
  value       = aws_lb_target_group.this.arn

  depends_on = [aws_lb_listener.http]
}

output "alb_arn_suffix" {
  description = "Last part of the load balancer's ARN, as metrics name it: app/<name>/<id>."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn_suffix" {
  description = "Last part of the target group's ARN, as metrics name it: targetgroup/<name>/<id>."
  value       = aws_lb_target_group.this.arn_suffix
}
