data "aws_caller_identity" "this" {}

module "cloud" {
  source = "../../modules/cloud"

  region = var.region
  session = {
    workspace         = terraform.workspace
    account_id        = var.account_id
    caller_account_id = data.aws_caller_identity.this.account_id
    caller_arn        = data.aws_caller_identity.this.arn
  }
}

module "pipeline" {
  source = "../../modules/pipeline"

  name                  = var.name
  environment           = var.environment
  account_id            = var.account_id
  database_password_arn = "arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:${var.name}/${var.environment}/database-password-??????"
  github_repository     = var.github_repository
  github_environment    = coalesce(var.github_environment, var.environment)
  deploy_policy_arn     = "arn:aws:iam::${var.account_id}:policy/${var.name}-deploy-policy-${var.environment}"
  state_bucket_name     = coalesce(var.state_bucket_name, "${var.name}-terraform-state-${var.account_id}")
}
