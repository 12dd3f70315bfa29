locals {
  issuer       = "token.actions.githubusercontent.com"
  provider_arn = "arn:aws:iam::${var.account_id}:oidc-provider/${local.issuer}"

  # Who GitHub says that a job is: one that runs in a protected environment, or one for a pull request.
  deploy_subject = "repo:${var.github_repository}:environment:${var.github_environment}"
  plan_subject   = "repo:${var.github_repository}:pull_request"
}

# GitHub signs what its jobs say of themselves; no key of AWS is kept there. An account has one of these.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  for_each = { deploy = local.deploy_subject, plan = local.plan_subject }

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    # Equal and not like: no wildcard lets another repository, branch or environment in.
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [each.value]
    }
  }
}

# Pushes an image and deploys it, and nothing else.
resource "aws_iam_role" "deploy" {
  name                 = "${var.name}-pipeline-deploy-${var.environment}"
  description          = "GitHub Actions of ${var.github_repository}: deploy to ${var.name} ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust["deploy"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy_attachment" "deploy" {
  role       = aws_iam_role.deploy.name
  policy_arn = var.deploy_policy_arn
}

# Plans what a pull request would change in the state as it was last applied: -refresh=false. A pull request's own code
# runs in that job, and refreshing would need to read all that there is. One value it must read: every plan opens the
# ephemeral resource that hands the database its password.
resource "aws_iam_role" "plan" {
  name                 = "${var.name}-pipeline-plan-${var.environment}"
  description          = "GitHub Actions of ${var.github_repository}: plan ${var.name} ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust["plan"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

data "aws_iam_policy_document" "plan" {
  statement {
    sid       = "ReadTheState"
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::${var.state_bucket_name}/${var.environment}/*"]
  }

  statement {
    sid       = "FindTheState"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::${var.state_bucket_name}"]
  }

  statement {
    sid       = "DatabasePassword"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.database_password_arn]
  }

  # The configuration makes its first passwords by an ephemeral resource, which a plan opens too. It names nobody's.
  statement {
    sid       = "RandomPassword"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.plan.id
  policy = data.aws_iam_policy_document.plan.json
}
