variable "region" {
  description = "AWS region of the bucket."
  type        = string
  default     = "us-west-2"
  nullable    = false
}

variable "account_id" {
  description = "AWS account of the bucket; another one that answers fails the plan."
  type        = string
  default     = "112530848482"
  nullable    = false
}

variable "name" {
  description = "First part of the bucket's name, and the Project tag."
  type        = string
  default     = "miyabi"
  nullable    = false
}

variable "bucket_name" {
  description = "Name of the bucket. Null: <name>-terraform-state-<account>."
  type        = string
  default     = null
}

variable "old_versions_days" {
  description = "Days after which an old version of a state is deleted; the newest 20 stay."
  type        = number
  default     = 90
  nullable    = false
}
