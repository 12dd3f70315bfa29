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
