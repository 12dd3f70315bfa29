# terraform -chdir=infrastructure/terraform/modules/pipeline test

# Not mocked: it writes the policies, which needs nobody to answer.
provider "aws" {
  region                      = "us-west-2"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  name                  = "miyabi"
  environment           = "dev"
  account_id            = "112530848482"
  database_password_arn = "arn:aws:secretsmanager:us-west-2:112530848482:secret:miyabi/dev/database-password-??????"
  github_repository     = "octo-org/shop"
  github_environment    = "dev"
  deploy_policy_arn     = "arn:aws:iam::112530848482:policy/miyabi-deploy-policy-dev"
  state_bucket_name     = "miyabi-terraform-state-112530848482"
}

run "only_the_environment_of_the_repository_deploys" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition.StringEquals == {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = "repo:octo-org/shop:environment:dev"
    }
    error_message = "The deploying role is for one environment of one repository."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role.deploy.assume_role_policy).Statement) == 1
    error_message = "Nobody else is trusted."
  }

  assert {
    condition     = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Principal.Federated == "arn:aws:iam::112530848482:oidc-provider/token.actions.githubusercontent.com"
    error_message = "GitHub's provider, in this account."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.deploy.policy_arn == "arn:aws:iam::112530848482:policy/miyabi-deploy-policy-dev"
    error_message = "It may deploy and nothing else."
  }
}

run "a_pull_request_plans_and_reads_no_data" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role.plan.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:octo-org/shop:pull_request"
    error_message = "The planning role is for pull requests of one repository."
  }

  assert {
    condition     = flatten([for one in jsondecode(aws_iam_role_policy.plan.policy).Statement : one.Action]) == ["s3:GetObject", "s3:ListBucket", "secretsmanager:GetSecretValue", "secretsmanager:GetRandomPassword"]
    error_message = "A plan reads the state and the one secret that it opens."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.plan.policy).Statement[2].Resource == "arn:aws:secretsmanager:us-west-2:112530848482:secret:miyabi/dev/database-password-??????"
    error_message = "No other secret."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.plan.policy).Statement[0].Resource == "arn:aws:s3:::miyabi-terraform-state-112530848482/dev/*"
    error_message = "A plan reads the environment's state and no other object."
  }
}

run "a_wildcard_is_no_repository" {
  command         = plan
  expect_failures = [var.github_repository]

  variables {
    github_repository = "octo-org/*"
  }
}

run "a_wildcard_is_no_environment" {
  command         = plan
  expect_failures = [var.github_environment]

  variables {
    github_environment = "*"
  }
}
