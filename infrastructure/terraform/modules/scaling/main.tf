locals {
  policies = {
    cpu = {
      metric = "ECSServiceAverageCPUUtilization"
      target = var.cpu_target_percent
      label  = null
    }
    memory = {
      metric = "ECSServiceAverageMemoryUtilization"
      target = var.memory_target_percent
      label  = null
    }
    requests = {
      metric = "ALBRequestCountPerTarget"
      target = var.requests_per_target
      label  = "${var.load_balancer_suffix}/${var.target_group_suffix}"
    }
  }
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${var.service_name}"
  min_capacity       = var.minimum_tasks
  max_capacity       = var.maximum_tasks

  lifecycle {
    precondition {
      condition     = var.minimum_tasks <= var.maximum_tasks
      error_message = "minimum_tasks (${var.minimum_tasks}) must not be more than maximum_tasks (${var.maximum_tasks})."
    }
  }
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.policies

  name               = "${var.name}-${each.key}-autoscaling-${var.environment}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.target
    scale_out_cooldown = var.scale_out_cooldown_seconds
    scale_in_cooldown  = var.scale_in_cooldown_seconds

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
      resource_label         = each.value.label
    }
  }
}
