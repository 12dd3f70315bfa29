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

# Plans: reads how everything is set, changes nothing, and reads no data but the state and the image parameter.
resource "aws_iam_role" "plan" {
  name                 = "${var.name}-pipeline-plan-${var.environment}"
  description          = "GitHub Actions of ${var.github_repository}: plan ${var.name} ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.trust["plan"].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy_attachment" "plan" {
  role       = aws_iam_role.plan.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

data "aws_iam_policy_document" "plan" {
  # ReadOnlyAccess reads data too. A pull request's own code runs in the job, so it must not.
  statement {
    sid    = "NoData"
    effect = "Deny"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:Scan",
      "ecr:GetDownloadUrlForLayer",
      "logs:FilterLogEvents",
      "logs:GetLogEvents",
      "logs:GetQueryResults",
      "logs:StartQuery",
      "secretsmanager:BatchGetSecretValue",
      "secretsmanager:GetSecretValue",
    ]
    resources = ["*"]
  }

  statement {
    sid           = "NoObjectsButTheState"
    effect        = "Deny"
    actions       = ["s3:GetObject", "s3:GetObjectVersion"]
    not_resources = ["arn:aws:s3:::${var.state_bucket_name}/${var.environment}/*"]
  }

  statement {
    sid           = "NoParametersButTheImage"
    effect        = "Deny"
    actions       = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory"]
    not_resources = ["arn:aws:ssm:${var.region}:${var.account_id}:parameter${var.image_parameter_name}"]
  }

  # The configuration makes its first passwords by an ephemeral resource, which a plan opens too.
  statement {
    sid       = "RandomPassword"
    actions   = ["secretsmanager:GetRandomPassword"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan-without-data"
  role   = aws_iam_role.plan.id
  policy = data.aws_iam_policy_document.plan.json
}
