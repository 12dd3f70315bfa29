variable "session" {
  description = "Where this run was meant to go (workspace, account_id) and who answered it (caller_account_id, caller_arn)."
  type = object({
    workspace         = string
    account_id        = string
    caller_account_id = string
    caller_arn        = string
  })
  nullable = false

  # Validations and not preconditions: those do not stop a destroy. All in one object, because a validation sees only
  # its own variable in OpenTofu.
  validation {
    condition     = var.session.workspace != "local" || endswith(var.session.caller_arn, ":user/miyabi-local")
    error_message = "Workspace 'local' is for the local cloud, but AWS answers: account ${var.session.caller_account_id}, caller ${var.session.caller_arn}. For the local cloud: eval \"$(miyabi env)\". For AWS: eval \"$(miyabi env --unset)\" and terraform workspace select default."
  }

  validation {
    condition     = var.session.workspace == "local" || !endswith(var.session.caller_arn, ":user/miyabi-local")
    error_message = "Workspace '${var.session.workspace}' is for AWS, but the local cloud answers: account ${var.session.caller_account_id}, caller ${var.session.caller_arn}. For the local cloud: eval \"$(miyabi env)\", which selects workspace 'local'. For AWS: eval \"$(miyabi env --unset)\"."
  }

  validation {
    condition     = can(regex("^[0-9]{12}$", var.session.account_id))
    error_message = "account_id must be the 12 digits of an AWS account, not '${var.session.account_id}'."
  }

  validation {
    condition     = var.session.caller_account_id == var.session.account_id
    error_message = "Account ${var.session.caller_account_id} answers, but account_id is ${var.session.account_id}. Use keys of that account (AWS_PROFILE), or set account_id if the environment belongs to the other one."
  }
}

variable "region" {
  description = "Region of the environment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-west-2."
  }
}
