variable "bucket_name" {
  description = "Name of the bucket; no other in the world may have it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits, dots and hyphens."
  }
}

variable "old_versions_days" {
  description = "Days after which an old version of a state is deleted; the newest 20 stay."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.old_versions_days >= 1
    error_message = "old_versions_days must be 1 or more."
  }
}
