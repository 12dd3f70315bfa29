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

output "rds_security_group_id" {
  description = "Id of the database's group, once its rule is in place."
  value       = aws_security_group.rds.id

  depends_on = [aws_vpc_security_group_ingress_rule.rds_from_ecs]
}

output "redis_security_group_id" {
  description = "Id of the cache's group, once its rule is in place."
  value       = aws_security_group.redis.id

  depends_on = [aws_vpc_security_group_ingress_rule.redis_from_ecs]
}
