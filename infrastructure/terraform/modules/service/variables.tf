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

variable "region" {
  description = "Region of the log group."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-west-2."
  }
}

variable "family" {
  description = "Family of the task definition."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.family))
    error_message = "family must be letters, digits, hyphens and underscores."
  }
}

variable "container_name" {
  description = "Name of the container in the task definition."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.container_name))
    error_message = "container_name must be letters, digits, hyphens and underscores."
  }
}

variable "container_port" {
  description = "Port on which the container serves HTTP."
  type        = number
  nullable    = false

  validation {
    condition     = var.container_port >= 1 && var.container_port <= 65535
    error_message = "container_port must be between 1 and 65535."
  }
}

variable "container_environment" {
  description = "Environment variables of the container. No secrets: everybody who may read the task definition sees them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "container_secrets" {
  description = "Secrets that ECS puts into the container's environment: variable to ARN of a secret or SSM parameter. The execution role must be allowed to read them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "ecr_image_uri" {
  description = "Image that the tasks run. Null: the one that the image parameter names."
  type        = string
  default     = null

  validation {
    condition     = var.ecr_image_uri == null ? true : can(regex("^\\S+(:[^\\s:@/]+|@sha256:[0-9a-f]{64})$", var.ecr_image_uri))
    error_message = "ecr_image_uri must end with a tag or a digest: <repository>:<tag> or <repository>@sha256:<digest>."
  }
}

variable "initial_image" {
  description = "Image that the image parameter names when it is created; ignored afterwards."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^\\S+(:[^\\s:@/]+|@sha256:[0-9a-f]{64})$", var.initial_image))
    error_message = "initial_image must end with a tag or a digest: <repository>:<tag> or <repository>@sha256:<digest>."
  }
}

variable "task_cpu" {
  description = "CPU units of a task; 1024 are one vCPU."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.task_cpu)
    error_message = "task_cpu must be one that Fargate offers: 256, 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "task_memory" {
  description = "Memory of a task in MiB. Fargate allows certain amounts for each task_cpu."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.task_memory == 512 || (var.task_memory >= 1024 && var.task_memory % 1024 == 0)
    error_message = "task_memory must be 512 or a multiple of 1024 (MiB)."
  }
}

variable "execution_role_arn" {
  description = "ARN of the role that pulls the image and writes the log."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.execution_role_arn))
    error_message = "execution_role_arn must be the ARN of an IAM role."
  }
}

variable "task_role_arn" {
  description = "ARN of the role of the program."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.task_role_arn))
    error_message = "task_role_arn must be the ARN of an IAM role."
  }
}

variable "log_group_name" {
  description = "Log group of the container's output."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets over whose zones the tasks spread."
  type        = list(string)
  nullable    = false
}

variable "security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
  nullable    = false
}

variable "target_group_arn" {
  description = "Target group in which the tasks are registered."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex(":targetgroup/", var.target_group_arn))
    error_message = "target_group_arn must be the ARN of a target group."
  }
}

variable "desired_count" {
  description = "How many tasks the service starts with; ignored afterwards, when operations and scaling set it."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.desired_count >= 0 && floor(var.desired_count) == var.desired_count
    error_message = "desired_count must be a whole number, 0 or more."
  }
}

variable "health_check_grace_period_seconds" {
  description = "How long after its start a task's failing health checks are ignored."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.health_check_grace_period_seconds >= 0 && floor(var.health_check_grace_period_seconds) == var.health_check_grace_period_seconds
    error_message = "health_check_grace_period_seconds must be a whole number, 0 or more."
  }
}
