variable "region" {
  description = "AWS region of the service."
  type        = string
  default     = "us-west-2"
  nullable    = false
}

variable "account_id" {
  description = "AWS account of the service; another one that answers fails the plan."
  type        = string
  default     = "112530848482"
  nullable    = false
}

variable "name" {
  description = "First part of every name, and the Project tag."
  type        = string
  default     = "miyabi"
  nullable    = false
}

variable "environment" {
  description = "The environment that is deployed to, and the last part of every name."
  type        = string
  default     = "dev"
  nullable    = false
}

variable "github_repository" {
  description = "Repository on GitHub whose workflows may assume the roles, as <owner>/<name>."
  type        = string
  nullable    = false
}

variable "github_environment" {
  description = "Environment on GitHub in which the deploying job runs. Null: that of the environment's name."
  type        = string
  default     = null
}

variable "state_bucket_name" {
  description = "Bucket of the states that a plan reads. Null: <name>-terraform-state-<account>."
  type        = string
  default     = null
}
