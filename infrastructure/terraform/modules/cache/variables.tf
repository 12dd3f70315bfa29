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
  description = "Private subnets."
  type        = list(string)
  nullable    = false
}

variable "availability_zone" {
  description = "Zone of the node; one of the subnets must be in it."
  type        = string
  nullable    = false
}

variable "security_group_ids" {
  description = "Security groups of the cache."
  type        = list(string)
  nullable    = false
}

variable "node_type" {
  description = "Size of the node."
  type        = string
  default     = "cache.t3.micro"
  nullable    = false

  validation {
    condition     = startswith(var.node_type, "cache.")
    error_message = "node_type must be an ElastiCache type, for example cache.t3.micro."
  }
}

variable "engine_version" {
  description = "Version of Redis, as <major>.<minor>."
  type        = string
  default     = "7.0"
  nullable    = false

  validation {
    condition     = can(regex("^(6\\.[02x]|7\\.[01])$", var.engine_version))
    error_message = "engine_version must be one that ElastiCache offers: 6.0, 6.2, 6.x, 7.0 or 7.1."
  }
}

variable "parameters" {
  description = "Parameters that differ from Redis's defaults on ElastiCache: name to value."
  type        = map(string)
  default     = { maxmemory-policy = "allkeys-lru" }
  nullable    = false
}

variable "snapshot_retention_days" {
  description = "Days that automatic snapshots are kept. 0: none are taken."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.snapshot_retention_days >= 0 && var.snapshot_retention_days <= 35
    error_message = "snapshot_retention_days must be between 0 and 35."
  }
}

variable "maintenance_window" {
  description = "When AWS may upgrade and restart, UTC."
  type        = string
  default     = "sun:06:00-sun:07:00"
  nullable    = false
}

variable "apply_immediately" {
  description = "Whether changes take effect at once, restarts included, or in the maintenance window."
  type        = bool
  default     = true
  nullable    = false
}
