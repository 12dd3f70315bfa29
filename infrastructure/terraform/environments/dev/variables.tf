# Ranges and formats are checked by the modules, which every value reaches.

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-west-2"
  nullable    = false
}

variable "account_id" {
  description = "AWS account of the environment; another one that answers fails the plan."
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
  description = "Last part of every name, and the Environment tag."
  type        = string
  default     = "dev"
  nullable    = false
}

variable "rehearsal" {
  description = "Tag miyabi:rehearsal: whether drills and faults may touch this environment."
  type        = string
  default     = "allowed"
  nullable    = false

  validation {
    condition     = contains(["allowed", "forbidden"], var.rehearsal)
    error_message = "rehearsal must be allowed or forbidden."
  }
}

variable "vpc_cidr" {
  description = "Address range of the VPC, a /16."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false
}

variable "availability_zones" {
  description = "Two availability zones of the region. Empty: its zones a and b."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "ecr_image_uri" {
  description = "Image that the tasks run, as <repository>:<tag>. Null: the one that the SSM parameter /<name>/<environment>/image names, which deployments set."
  type        = string
  default     = null
}

variable "image_tag" {
  description = "Tag in the repository that the image parameter starts with; ignored once the parameter exists."
  type        = string
  default     = "latest"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag))
    error_message = "image_tag must be letters, digits and . _ - (at most 128)."
  }
}

variable "repository_name" {
  description = "Name of the ECR repository. Null: <name>-web-api. Environments of one account and region need different ones."
  type        = string
  default     = null
}

variable "repository_force_delete" {
  description = "Whether a destroy deletes the images too. Without it the destroy fails while there are any."
  type        = bool
  default     = true
  nullable    = false
}

variable "task_family" {
  description = "Family of the task definition. Null: <name>-app-<environment>."
  type        = string
  default     = null
}

variable "task_cpu" {
  description = "CPU units of a task; 1024 are one vCPU."
  type        = number
  default     = 512
  nullable    = false
}

variable "task_memory" {
  description = "Memory of a task in MiB."
  type        = number
  default     = 1024
  nullable    = false
}

variable "container_name" {
  description = "Name of the container. Null: <name>-app."
  type        = string
  default     = null
}

variable "container_port" {
  description = "Port on which the container serves HTTP."
  type        = number
  default     = 8080
  nullable    = false
}

variable "container_environment" {
  description = "Environment variables of the container. No secrets."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "desired_count" {
  description = "How many tasks the service starts with; operations and scaling set it afterwards."
  type        = number
  default     = 2
  nullable    = false
}

variable "health_check_path" {
  description = "Path that answers 200 while a task can serve."
  type        = string
  default     = "/health"
  nullable    = false
}

variable "health_check_interval_seconds" {
  description = "Time between two health checks of a task."
  type        = number
  default     = 5
  nullable    = false
}

variable "health_check_grace_period_seconds" {
  description = "How long after its start a task's failing health checks are ignored."
  type        = number
  default     = 30
  nullable    = false
}

variable "deregistration_delay_seconds" {
  description = "How long a task that stops may finish its requests."
  type        = number
  default     = 15
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that log events are kept."
  type        = number
  default     = 7
  nullable    = false
}
