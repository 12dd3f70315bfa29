# terraform -chdir=infrastructure/terraform/modules/cache test

mock_provider "aws" {
  mock_resource "aws_elasticache_cluster" {
    defaults = {
      cache_nodes = [{ address = "10.0.11.9", port = 6379, id = "0001", availability_zone = "us-west-2a", outpost_arn = "" }]
    }
  }
}

variables {
  name               = "miyabi"
  environment        = "dev"
  subnet_ids         = ["subnet-1", "subnet-2"]
  availability_zone  = "us-west-2a"
  security_group_ids = ["sg-1"]
}

run "redis_7_has_one_family" {
  command = plan

  variables {
    engine_version = "7.1"
  }

  assert {
    condition     = aws_elasticache_parameter_group.this.family == "redis7"
    error_message = "Redis 7.1 belongs to the family redis7."
  }
}

run "redis_6_has_another_form" {
  command = plan

  variables {
    engine_version = "6.2"
  }

  assert {
    condition     = aws_elasticache_parameter_group.this.family == "redis6.x"
    error_message = "Redis 6.2 belongs to the family redis6.x."
  }
}

run "an_engine_version_that_elasticache_does_not_have_is_refused" {
  command         = plan
  expect_failures = [var.engine_version]

  variables {
    engine_version = "8.0"
  }
}

run "the_connection_string_is_the_nodes" {
  assert {
    condition     = output.connection_string == "redis://10.0.11.9:6379"
    error_message = "redis://<address>:<port>"
  }
}
