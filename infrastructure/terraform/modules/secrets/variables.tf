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

variable "recovery_window_days" {
  description = "Days in which a deleted secret can be restored. 0 deletes at once, so that the name is free again."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days must be 0 or between 7 and 30."
  }
}

variable "database_password_version" {
  description = "Raise it for a new database password. The database module must get the same number."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.database_password_version >= 1 && floor(var.database_password_version) == var.database_password_version
    error_message = "database_password_version must be a whole number, 1 or more."
  }
}

variable "jwt_secret_version" {
  description = "Raise it for a new signing key; whoever is signed in has to sign in again."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.jwt_secret_version >= 1 && floor(var.jwt_secret_version) == var.jwt_secret_version
    error_message = "jwt_secret_version must be a whole number, 1 or more."
  }
}

variable "api_keys_version" {
  description = "Raise it for new API keys: the JSON is written anew, with the one key admin."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.api_keys_version >= 1 && floor(var.api_keys_version) == var.api_keys_version
    error_message = "api_keys_version must be a whole number, 1 or more."
  }
}
