variable "name" {
  description = "First part of every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "name must be 1 to 16 lower-case letters, digits or hyphens and start with a letter: load balancer names end at 32 characters."
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

variable "region" {
  description = "Region of the service."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-west-2."
  }
}

variable "repository_arn" {
  description = "Repository to push to."
  type        = string
  nullable    = false
}

variable "cluster_name" {
  description = "Cluster of the service."
  type        = string
  nullable    = false
}

variable "service_name" {
  description = "Service to deploy to."
  type        = string
  nullable    = false
}

variable "task_family" {
  description = "Family of the task definition."
  type        = string
  nullable    = false
}

variable "log_group_name" {
  description = "Log group of the tasks."
  type        = string
  nullable    = false
}

variable "lock_table_name" {
  description = "Table of the environment's lock."
  type        = string
  nullable    = false
}

variable "audit_log_group_name" {
  description = "Log group of the audit."
  type        = string
  nullable    = false
}

variable "image_parameter_name" {
  description = "SSM parameter that says which image runs."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.image_parameter_name, "/")
    error_message = "image_parameter_name must begin with a slash."
  }
}

variable "execution_role_arn" {
  description = "Execution role that revisions may name."
  type        = string
  nullable    = false
}

variable "task_role_arn" {
  description = "Task role that revisions may name."
  type        = string
  nullable    = false
}
