locals {
  numbers = split(".", var.engine_version)
  family  = local.numbers[0] == "7" ? "redis7" : "redis${local.numbers[0]}.x"
}

resource "aws_elasticache_subnet_group" "this" {
  name        = "${var.name}-cache-subnet-${var.environment}"
  description = "Private subnets of ${var.name} ${var.environment}"
  subnet_ids  = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-redis-params-${var.environment}"
  description = "Redis of ${var.name} ${var.environment}"
  family      = local.family

  dynamic "parameter" {
    for_each = var.parameters

    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

# One node, no password, no TLS: who reaches it is decided by its security group. A password needs a replication group.
resource "aws_elasticache_cluster" "this" {
  # checkov:skip=CKV_AWS_134:snapshots are taken by hand, before larger changes: what is cached can be read again

  cluster_id      = "${var.name}-cache-${var.environment}"
  engine          = "redis"
  engine_version  = var.engine_version
  node_type       = var.node_type
  num_cache_nodes = 1
  port            = 6379

  availability_zone    = var.availability_zone
  subnet_group_name    = aws_elasticache_subnet_group.this.name
  security_group_ids   = var.security_group_ids
  parameter_group_name = aws_elasticache_parameter_group.this.name

  # What is cached can be read again from the database: snapshots are made by hand, before larger changes.
  snapshot_retention_limit = var.snapshot_retention_days
  maintenance_window       = var.maintenance_window
  apply_immediately        = var.apply_immediately
}
