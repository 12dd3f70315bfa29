# terraform -chdir=infrastructure/terraform/modules/cloud test

variables {
  region = "us-west-2"
}

run "the_local_cloud_belongs_to_workspace_local" {
  command = plan

  variables {
    session = {
      workspace         = "local"
      account_id        = "112530848482"
      caller_account_id = "112530848482"
      caller_arn        = "arn:aws:iam::112530848482:user/miyabi-local"
    }
  }

  assert {
    condition     = terraform_data.this.input.kind == "local"
    error_message = "The state must record the local cloud."
  }
}

run "aws_belongs_to_any_other_workspace" {
  command = plan

  variables {
    session = {
      workspace         = "default"
      account_id        = "112530848482"
      caller_account_id = "112530848482"
      caller_arn        = "arn:aws:sts::112530848482:assumed-role/deployer/someone"
    }
  }

  assert {
    condition     = terraform_data.this.input.kind == "aws"
    error_message = "The state must record AWS."
  }
}

run "aws_is_refused_in_workspace_local" {
  command         = plan
  expect_failures = [var.session]

  variables {
    session = {
      workspace         = "local"
      account_id        = "112530848482"
      caller_account_id = "112530848482"
      caller_arn        = "arn:aws:iam::112530848482:user/deployer"
    }
  }
}

run "the_local_cloud_is_refused_in_the_default_workspace" {
  command         = plan
  expect_failures = [var.session]

  variables {
    session = {
      workspace         = "default"
      account_id        = "112530848482"
      caller_account_id = "112530848482"
      caller_arn        = "arn:aws:iam::112530848482:user/miyabi-local"
    }
  }
}

run "another_account_is_refused" {
  command         = plan
  expect_failures = [var.session]

  variables {
    session = {
      workspace         = "default"
      account_id        = "112530848482"
      caller_account_id = "999999999999"
      caller_arn        = "arn:aws:iam::999999999999:user/deployer"
    }
  }
}
