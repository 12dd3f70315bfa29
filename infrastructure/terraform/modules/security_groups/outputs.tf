output "alb_security_group_id" {
  description = "Id of the load balancer's group, once its rules are in place."
  value       = aws_security_group.alb.id

  depends_on = [
    aws_vpc_security_group_ingress_rule.alb_http,
    aws_vpc_security_group_egress_rule.alb_all,
  ]
}

output "ecs_security_group_id" {
  description = "Id of the tasks' group, once its rules are in place."
  value       = aws_security_group.ecs.id

  depends_on = [
    aws_vpc_security_group_ingress_rule.ecs_from_alb,
    aws_vpc_security_group_egress_rule.ecs_all,
  ]
}
