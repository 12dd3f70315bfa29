# The state's own record of the cloud that it describes. The checks are the validations in variables.tf.
resource "terraform_data" "this" {
  input = {
    kind    = endswith(var.session.caller_arn, ":user/miyabi-local") ? "local" : "aws"
    account = var.session.caller_account_id
    region  = var.region
  }
}
