# Scaling, alarms, budget.

variable "min_tasks" {
  description = "Fewest tasks that scaling leaves; with fewer the alarm goes off."
  type        = number
  default     = 2
  nullable    = false
}

variable "max_tasks" {
  description = "Most tasks that scaling starts."
  type        = number
  default     = 4
  nullable    = false
}

variable "scaling_cpu_target_percent" {
  description = "Average CPU of the tasks that scaling keeps."
  type        = number
  default     = 70
  nullable    = false
}

variable "scaling_memory_target_percent" {
  description = "Average memory of the tasks that scaling keeps."
  type        = number
  default     = 80
  nullable    = false
}

variable "scaling_requests_per_target" {
  description = "Requests a minute for each task that scaling keeps."
  type        = number
  default     = 1000
  nullable    = false
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

variable "alarm_cpu_threshold_percent" {
  description = "Average CPU over which the alarm goes off. At the scaling target it also goes off at every scale-out."
  type        = number
  default     = 70
  nullable    = false
}

variable "alarm_memory_threshold_percent" {
  description = "Average memory over which the alarm goes off."
  type        = number
  default     = 80
  nullable    = false
}

variable "alarm_emails" {
  description = "Addresses that get alarms and budget warnings; each must confirm."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "monthly_budget_usd" {
  description = "What the account may cost in a month, in US dollars."
  type        = number
  default     = 140
  nullable    = false
}

variable "audit_retention_days" {
  description = "Days that records of the audit are kept."
  type        = number
  default     = 365
  nullable    = false
}
