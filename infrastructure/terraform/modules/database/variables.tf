variable "name" {
  description = "First part of every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) <= 16 && can(regex("^[a-z](-?[a-z0-9])*$", var.name))
    error_message = "name must be 1 to 16 lower-case letters, digits and single hyphens, start with a letter and end with a letter or digit."
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

variable "subnet_ids" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must be two subnets or more: RDS wants two zones."
  }
}

variable "security_group_ids" {
  description = "Security groups of the database."
  type        = list(string)
  nullable    = false
}

variable "password_secret_arn" {
  description = "ARN of the secret with the user's password; to be unknown in a plan that writes a new one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:secretsmanager:", var.password_secret_arn))
    error_message = "password_secret_arn must be the ARN of a secret."
  }
}

variable "password_version" {
  description = "Number of the password: when it changes, the user gets the secret's password again."
  type        = number
  default     = 1
  nullable    = false
}

variable "instance_class" {
  description = "Size of the instance."
  type        = string
  default     = "db.t3.micro"
  nullable    = false

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class must be an RDS class, for example db.t3.micro."
  }
}

variable "engine_version" {
  description = "Version of PostgreSQL: a major one (17), whose newest minor version runs, or an exact one (17.4)."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a version of PostgreSQL, for example 17."
  }
}

variable "parameters" {
  description = "Parameters that differ from PostgreSQL's defaults on RDS: name to value, and apply_method immediate or (for static ones) pending-reboot."
  type = map(object({
    value        = string
    apply_method = optional(string, "immediate")
  }))
  default  = { log_min_duration_statement = { value = "1000" } }
  nullable = false

  validation {
    condition     = alltrue([for each in values(var.parameters) : contains(["immediate", "pending-reboot"], each.apply_method)])
    error_message = "apply_method must be immediate or pending-reboot."
  }
}

variable "allocated_storage_gb" {
  description = "Size of the storage in GiB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.allocated_storage_gb >= 20 && var.allocated_storage_gb <= 65536
    error_message = "allocated_storage_gb must be between 20 and 65536."
  }
}

variable "multi_az" {
  description = "Whether a standby waits in another zone; doubles the price."
  type        = bool
  default     = false
  nullable    = false
}

variable "backup_retention_days" {
  description = "Days that automated backups are kept, and that a point in time can lie back."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 1 and 35: without backups there is no way back."
  }
}

variable "backup_window" {
  description = "When the daily backup is taken, UTC."
  type        = string
  default     = "03:00-04:00"
  nullable    = false
}

variable "maintenance_window" {
  description = "When AWS may upgrade and restart, UTC; not in the backup window."
  type        = string
  default     = "sun:05:00-sun:06:00"
  nullable    = false
}

variable "apply_immediately" {
  description = "Whether changes take effect at once, restarts included, or in the maintenance window."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the database."
  type        = bool
  default     = true
  nullable    = false
}

variable "skip_final_snapshot" {
  description = "Whether a deletion takes no snapshot first."
  type        = bool
  default     = false
  nullable    = false
}
