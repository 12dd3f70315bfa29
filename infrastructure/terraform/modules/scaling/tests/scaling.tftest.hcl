# terraform -chdir=infrastructure/terraform/modules/scaling test

mock_provider "aws" {}

variables {
  name                 = "miyabi"
  environment          = "dev"
  cluster_name         = "miyabi-cluster-dev"
  service_name         = "miyabi-service-dev"
  load_balancer_suffix = "app/miyabi-alb-dev/1"
  target_group_suffix  = "targetgroup/miyabi-tg-dev/2"
}

run "only_the_request_policy_names_a_target_group" {
  command = plan

  assert {
    condition = [
      for policy in aws_appautoscaling_policy.this :
      policy.name if policy.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].resource_label != null
    ] == ["miyabi-requests-autoscaling-dev"]
    error_message = "CPU and memory are the service's."
  }

  assert {
    condition = one([
      for configuration in aws_appautoscaling_policy.this["requests"].target_tracking_scaling_policy_configuration :
      configuration.predefined_metric_specification[0].resource_label
    ]) == "app/miyabi-alb-dev/1/targetgroup/miyabi-tg-dev/2"
    error_message = "Requests are the target group's, behind this load balancer."
  }
}

run "the_runbooks_names_and_targets" {
  command = plan

  assert {
    condition = {
      for policy in aws_appautoscaling_policy.this :
      policy.name => policy.target_tracking_scaling_policy_configuration[0].target_value
      } == {
      miyabi-cpu-autoscaling-dev      = 70
      miyabi-memory-autoscaling-dev   = 80
      miyabi-requests-autoscaling-dev = 1000
    }
    error_message = "The three policies have the runbook's names and targets."
  }
}

run "more_at_least_than_at_most_is_refused" {
  command         = plan
  expect_failures = [aws_appautoscaling_target.this]

  variables {
    minimum_tasks = 5
    maximum_tasks = 4
  }
}
