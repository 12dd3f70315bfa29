variable "name" {
  description = "First part of every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "name must be 1 to 16 lower-case letters, digits or hyphens and start with a letter."
  }
}

variable "environment" {
  description = "Last part of every resource's name, for example dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,9}$", var.environment))
    error_message = "environment must be 1 to 10 lower-case letters or digits and start with a letter."
  }
}

variable "account_id" {
  description = "Account of the service."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "github_repository" {
  description = "Repository on GitHub whose workflows may assume the roles, as <owner>/<name>."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be <owner>/<name>, without wildcards."
  }
}

variable "github_environment" {
  description = "Environment on GitHub in which the deploying job runs; its protection rules say which branches may."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.github_environment))
    error_message = "github_environment must be letters, digits, _ and -."
  }
}

variable "deploy_policy_arn" {
  description = "Policy of whoever deploys: the output of module deploy_policy."
  type        = string
  nullable    = false
}

variable "state_bucket_name" {
  description = "Bucket of the states that a plan reads."
  type        = string
  nullable    = false
}

variable "database_password_arn" {
  description = "ARN of the secret with the database's password, which every plan opens; ?????? stands for its random end."
  type        = string
  nullable    = false
}
