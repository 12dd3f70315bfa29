resource "aws_security_group" "alb" {
  # checkov:skip=CKV2_AWS_5:attached in another module, where the scan does not look

  name        = "${var.name}-alb-sg-${var.environment}"
  description = "Load balancer: HTTP from anywhere"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-alb-sg-${var.environment}" }
}

resource "aws_vpc_security_group_ingress_rule" "alb_http" {
  # checkov:skip=CKV_AWS_260:the service is for the public

  security_group_id = aws_security_group.alb.id
  description       = "HTTP from anywhere"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "alb_all" {
  security_group_id = aws_security_group.alb.id
  description       = "All traffic"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "ecs" {
  # checkov:skip=CKV2_AWS_5:attached in another module, where the scan does not look

  name        = "${var.name}-ecs-sg-${var.environment}"
  description = "Tasks: the load balancer only"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-ecs-sg-${var.environment}" }
}

resource "aws_vpc_security_group_ingress_rule" "ecs_from_alb" {
  security_group_id            = aws_security_group.ecs.id
  description                  = "Requests and health checks from the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
  referenced_security_group_id = aws_security_group.alb.id
}

resource "aws_vpc_security_group_egress_rule" "ecs_all" {
  security_group_id = aws_security_group.ecs.id
  description       = "All traffic"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# No egress rule on the next two: they answer, and begin nothing themselves.
resource "aws_security_group" "rds" {
  # checkov:skip=CKV2_AWS_5:attached in another module, where the scan does not look

  name        = "${var.name}-rds-sg-${var.environment}"
  description = "Database: the tasks only"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-rds-sg-${var.environment}" }
}

resource "aws_vpc_security_group_ingress_rule" "rds_from_ecs" {
  security_group_id            = aws_security_group.rds.id
  description                  = "PostgreSQL from the tasks"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = aws_security_group.ecs.id
}

resource "aws_security_group" "redis" {
  # checkov:skip=CKV2_AWS_5:attached in another module, where the scan does not look

  name        = "${var.name}-redis-sg-${var.environment}"
  description = "Cache: the tasks only"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-redis-sg-${var.environment}" }
}

resource "aws_vpc_security_group_ingress_rule" "redis_from_ecs" {
  security_group_id            = aws_security_group.redis.id
  description                  = "Redis from the tasks"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.ecs.id
}
