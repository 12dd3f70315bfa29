locals {
  # The insecure_value of the parameter is its value as the last refresh found it: see "The image" in the README.
  image = coalesce(var.ecr_image_uri, aws_ssm_parameter.image.insecure_value)

  # Smallest and largest memory (MiB) that Fargate allows for each CPU size.
  fargate_memory = {
    256   = { least = 512, most = 2048 }
    512   = { least = 1024, most = 4096 }
    1024  = { least = 2048, most = 8192 }
    2048  = { least = 4096, most = 16384 }
    4096  = { least = 8192, most = 30720 }
    8192  = { least = 16384, most = 61440 }
    16384 = { least = 32768, most = 122880 }
  }
  allowed_memory = local.fargate_memory[var.task_cpu]
}

# Which image the environment runs. Terraform creates it; from then on a deployment sets it and Terraform reads it.
resource "aws_ssm_parameter" "image" {
  # checkov:skip=CKV2_AWS_34:the name of an image is no secret

  name           = "/${var.name}/${var.environment}/image"
  description    = "Image that ${var.name} ${var.environment} runs; set by deployments"
  type           = "String"
  insecure_value = coalesce(var.ecr_image_uri, var.initial_image)

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

resource "aws_ecs_cluster" "this" {
  name = "${var.name}-cluster-${var.environment}"

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_cpu
  memory                   = var.task_memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn

  # Revisions come from deployments too: compare with the newest, and keep the old ones to roll back to.
  track_latest = true
  skip_destroy = true

  container_definitions = jsonencode([{
    name      = var.container_name
    image     = local.image
    essential = true

    environment  = [for key, value in var.container_environment : { name = key, value = value }]
    secrets      = [for key, source in var.container_secrets : { name = key, valueFrom = source }]
    portMappings = [{ containerPort = var.container_port, hostPort = var.container_port, protocol = "tcp" }]

    # A shell started by ECS Exec leaves its children to process 1, which must then reap them.
    linuxParameters = { initProcessEnabled = true }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log_group_name
        awslogs-region        = var.region
        awslogs-stream-prefix = "ecs"
      }
    }
  }])

  lifecycle {
    # A revision that somebody registered without our tags is no reason to register another one.
    ignore_changes = [tags, tags_all]

    precondition {
      condition = (
        var.task_memory >= local.allowed_memory.least && var.task_memory <= local.allowed_memory.most &&
        (var.task_cpu < 8192 || var.task_memory % (var.task_cpu / 2) == 0)
      )
      error_message = "Fargate has no task with task_cpu = ${var.task_cpu} and task_memory = ${var.task_memory}: it allows ${local.allowed_memory.least} to ${local.allowed_memory.most} MiB for this CPU."
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = "${var.name}-service-${var.environment}"
  cluster         = aws_ecs_cluster.this.arn
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  desired_count   = var.desired_count

  # New tasks first: a deployment runs up to twice the desired count, never less than it.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = var.health_check_grace_period_seconds

  enable_execute_command  = true
  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"

  # Whether the tasks come up is observed and reported by whoever applies: `miyabi up`, or `miyabi status`.
  wait_for_steady_state = false

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = var.target_group_arn
    container_name   = var.container_name
    container_port   = var.container_port
  }

  lifecycle {
    ignore_changes = [desired_count]
  }
}
