locals {
  identifier = "${var.name}-db-${var.environment}"
  major      = split(".", var.engine_version)[0]
}

# The password as the secret holds it, not as it was drawn: an apply that is repeated after a failure draws another one.
ephemeral "aws_secretsmanager_secret_version" "password" {
  secret_id = var.password_secret_arn
}

resource "aws_db_subnet_group" "this" {
  name        = "${var.name}-db-subnet-${var.environment}"
  description = "Private subnets of ${var.name} ${var.environment}"
  subnet_ids  = var.subnet_ids
}

# The major version is in the name: an upgrade needs the new group while the old one is still in use.
resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-postgres${local.major}-params-${var.environment}"
  description = "PostgreSQL ${local.major} of ${var.name} ${var.environment}"
  family      = "postgres${local.major}"

  dynamic "parameter" {
    for_each = var.parameters

    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.apply_method
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  # checkov:skip=CKV_AWS_293:a variable, on by default; off in dev, which must be possible to destroy
  # checkov:skip=CKV_AWS_157:a variable: twice the price for a database that dev can restore
  # checkov:skip=CKV_AWS_353:it takes memory that a micro instance does not have; log_min_duration_statement names slow queries
  # checkov:skip=CKV_AWS_118:the one-minute metrics of CloudWatch are enough here; enhanced ones are paid as logs
  # checkov:skip=CKV_AWS_129:RDS would make log groups outside of Terraform, without retention; its own log files stay three days
  # checkov:skip=CKV_AWS_161:the tasks log in by the password in the secret; tokens allow few new connections a second

  identifier     = local.identifier
  instance_class = var.instance_class
  engine         = "postgres"
  engine_version = var.engine_version

  allocated_storage = var.allocated_storage_gb
  storage_type      = "gp3"
  storage_encrypted = true

  db_name             = replace("${var.name}_${var.environment}", "-", "_")
  username            = replace("${var.name}_user", "-", "_")
  password_wo         = ephemeral.aws_secretsmanager_secret_version.password.secret_string
  password_wo_version = var.password_version

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = var.security_group_ids
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false
  multi_az               = var.multi_az

  backup_retention_period = var.backup_retention_days
  backup_window           = var.backup_window
  copy_tags_to_snapshot   = true
  maintenance_window      = var.maintenance_window
  apply_immediately       = var.apply_immediately

  # Minor versions come by themselves, in the maintenance window; a major one is asked for by engine_version.
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = true

  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = var.skip_final_snapshot
  final_snapshot_identifier = var.skip_final_snapshot ? null : "${local.identifier}-final"
}
