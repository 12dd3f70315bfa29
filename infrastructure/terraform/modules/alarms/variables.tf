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
  description = "Account whose alarms and budgets may write to the topic."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "region" {
  description = "Region of the metrics on the dashboard."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-west-2."
  }
}

variable "cluster_name" {
  description = "Cluster of the service."
  type        = string
  nullable    = false
}

variable "service_name" {
  description = "Service that is watched."
  type        = string
  nullable    = false
}

variable "load_balancer_suffix" {
  description = "Load balancer that is watched: the last part of its ARN, app/<name>/<id>."
  type        = string
  nullable    = false
}

variable "database_identifier" {
  description = "DB instance that is watched."
  type        = string
  nullable    = false
}

variable "cache_cluster_id" {
  description = "Cache cluster that is watched."
  type        = string
  nullable    = false
}

variable "emails" {
  description = "Addresses that get the alarms; each must confirm."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^\\S+@\\S+$", email))])
    error_message = "emails must be mail addresses."
  }
}

variable "cpu_threshold_percent" {
  description = "Average CPU over which the alarm goes off."
  type        = number
  default     = 70
  nullable    = false
}

variable "memory_threshold_percent" {
  description = "Average memory over which the alarm goes off."
  type        = number
  default     = 80
  nullable    = false
}

variable "minimum_tasks" {
  description = "Running tasks under which the alarm goes off."
  type        = number
  default     = 2
  nullable    = false
}

variable "response_time_threshold_seconds" {
  description = "Average time until a target answers over which the alarm goes off."
  type        = number
  default     = 0.15
  nullable    = false

  validation {
    condition     = var.response_time_threshold_seconds > 0
    error_message = "response_time_threshold_seconds must be more than 0."
  }
}

variable "connections_threshold" {
  description = "Average connections to the database over which the alarm goes off: four fifths of what 1 GiB of memory allows."
  type        = number
  default     = 88
  nullable    = false

  validation {
    condition     = var.connections_threshold > 0
    error_message = "connections_threshold must be more than 0."
  }
}

variable "cache_memory_threshold_percent" {
  description = "Share of the cache's memory over which the alarm goes off."
  type        = number
  default     = 80
  nullable    = false
}

variable "cache_hit_threshold_percent" {
  description = "Share of reads that find something in the cache under which the alarm goes off."
  type        = number
  default     = 80
  nullable    = false
}

variable "period_seconds" {
  description = "Length of one of the two periods that a metric must be beyond its threshold."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.period_seconds >= 60 && var.period_seconds % 60 == 0
    error_message = "period_seconds must be a multiple of 60."
  }
}
