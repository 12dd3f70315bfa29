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

module "state" {
  source = "../../modules/state"

  bucket_name       = coalesce(var.bucket_name, "${var.name}-terraform-state-${var.account_id}")
  old_versions_days = var.old_versions_days
}
