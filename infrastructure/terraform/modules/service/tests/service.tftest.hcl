# terraform -chdir=infrastructure/terraform/modules/service test

mock_provider "aws" {}

variables {
  name               = "miyabi"
  environment        = "dev"
  region             = "us-west-2"
  family             = "miyabi-app-dev"
  container_name     = "miyabi-app"
  container_port     = 8080
  initial_image      = "112530848482.dkr.ecr.us-west-2.amazonaws.com/miyabi-web-api:first"
  execution_role_arn = "arn:aws:iam::112530848482:role/miyabi-ecs-execution-role-dev"
  task_role_arn      = "arn:aws:iam::112530848482:role/miyabi-ecs-task-role-dev"
  log_group_name     = "/ecs/miyabi-dev"
  subnet_ids         = ["subnet-1", "subnet-2"]
  security_group_ids = ["sg-1"]
  target_group_arn   = "arn:aws:elasticloadbalancing:us-west-2:112530848482:targetgroup/miyabi-tg-dev/1"
}

run "the_parameter_names_the_image" {
  command = plan

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].image == var.initial_image
    error_message = "Without ecr_image_uri the image is the parameter's."
  }
}

run "ecr_image_uri_wins" {
  command = plan

  variables {
    ecr_image_uri = "112530848482.dkr.ecr.us-west-2.amazonaws.com/miyabi-web-api:v1.1.0"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].image == var.ecr_image_uri
    error_message = "ecr_image_uri comes before the parameter."
  }
}

run "an_image_without_tag_is_refused" {
  command         = plan
  expect_failures = [var.ecr_image_uri]

  variables {
    ecr_image_uri = "112530848482.dkr.ecr.us-west-2.amazonaws.com/miyabi-web-api"
  }
}

run "a_registry_with_a_port_is_accepted" {
  command = plan

  variables {
    ecr_image_uri = "localhost:5000/team/web-api:v1"
  }
}

run "more_memory_than_fargate_has_for_the_cpu_is_refused" {
  command         = plan
  expect_failures = [aws_ecs_task_definition.this]

  variables {
    task_cpu    = 512
    task_memory = 8192
  }
}

run "the_smallest_task_is_accepted" {
  command = plan

  variables {
    task_cpu    = 256
    task_memory = 512
  }
}

run "a_cpu_that_fargate_does_not_have_is_refused" {
  command         = plan
  expect_failures = [var.task_cpu]

  variables {
    task_cpu = 300
  }
}
