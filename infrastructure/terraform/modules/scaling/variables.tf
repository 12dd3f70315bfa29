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

variable "cluster_name" {
  description = "Cluster of the service."
  type        = string
  nullable    = false
}

variable "service_name" {
  description = "Service that is scaled."
  type        = string
  nullable    = false
}

variable "load_balancer_suffix" {
  description = "Last part of the load balancer's ARN: app/<name>/<id>."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.load_balancer_suffix, "app/")
    error_message = "load_balancer_suffix must be of the form app/<name>/<id>."
  }
}

variable "target_group_suffix" {
  description = "Last part of the target group's ARN: targetgroup/<name>/<id>."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.target_group_suffix, "targetgroup/")
    error_message = "target_group_suffix must be of the form targetgroup/<name>/<id>."
  }
}

variable "minimum_tasks" {
  description = "Fewest tasks that scaling leaves."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.minimum_tasks >= 0 && floor(var.minimum_tasks) == var.minimum_tasks
    error_message = "minimum_tasks must be a whole number, 0 or more."
  }
}

variable "maximum_tasks" {
  description = "Most tasks that scaling starts."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.maximum_tasks >= 0 && floor(var.maximum_tasks) == var.maximum_tasks
    error_message = "maximum_tasks must be a whole number, 0 or more."
  }
}

variable "cpu_target_percent" {
  description = "Average CPU of the tasks that scaling keeps."
  type        = number
  default     = 70
  nullable    = false

  validation {
    condition     = var.cpu_target_percent > 0 && var.cpu_target_percent <= 100
    error_message = "cpu_target_percent must be more than 0 and at most 100."
  }
}

variable "memory_target_percent" {
  description = "Average memory of the tasks that scaling keeps."
  type        = number
  default     = 80
  nullable    = false

  validation {
    condition     = var.memory_target_percent > 0 && var.memory_target_percent <= 100
    error_message = "memory_target_percent must be more than 0 and at most 100."
  }
}

variable "requests_per_target" {
  description = "Requests a minute for each task that scaling keeps: 1000 are 16.7 a second."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.requests_per_target > 0
    error_message = "requests_per_target must be more than 0."
  }
}

variable "scale_out_cooldown_seconds" {
  description = "How long a scale-out is left to work before the next."
  type        = number
  default     = 60
  nullable    = false
}

variable "scale_in_cooldown_seconds" {
  description = "How long a scale-in is left to work before the next."
  type        = number
  default     = 300
  nullable    = false
}
