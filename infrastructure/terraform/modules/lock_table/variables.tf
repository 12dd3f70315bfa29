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
