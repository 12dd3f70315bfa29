# Secrets, database, cache.

variable "secret_recovery_window_days" {
  description = "Days in which a deleted secret can be restored. 0: its name is free again at once, for the next environment."
  type        = number
  default     = 0
  nullable    = false
}

variable "database_password_version" {
  description = "Raise it for a new database password; then restart the service."
  type        = number
  default     = 1
  nullable    = false
}

variable "jwt_secret_version" {
  description = "Raise it for a new signing key; then restart the service."
  type        = number
  default     = 1
  nullable    = false
}

variable "api_keys_version" {
  description = "Raise it for a new API key admin; then restart the service."
  type        = number
  default     = 1
  nullable    = false
}

variable "database_instance_class" {
  description = "Size of the database."
  type        = string
  default     = "db.t3.micro"
  nullable    = false
}

variable "database_engine_version" {
  description = "Version of PostgreSQL: a major one, whose newest minor version runs, or an exact one."
  type        = string
  default     = "17"
  nullable    = false
}

variable "database_parameters" {
  description = "PostgreSQL's parameters that differ from RDS's defaults: name to value and apply_method (immediate or pending-reboot)."
  type = map(object({
    value        = string
    apply_method = optional(string, "immediate")
  }))
  default  = { log_min_duration_statement = { value = "1000" } }
  nullable = false
}

variable "database_multi_az" {
  description = "Whether a standby waits in the other zone."
  type        = bool
  default     = false
  nullable    = false
}

variable "database_backup_retention_days" {
  description = "Days that automated backups are kept."
  type        = number
  default     = 7
  nullable    = false
}

variable "database_deletion_protection" {
  description = "Whether RDS refuses to delete the database. To be true where the data matters."
  type        = bool
  default     = false
  nullable    = false
}

variable "database_skip_final_snapshot" {
  description = "Whether a destroy takes no snapshot first. To be false where the data matters."
  type        = bool
  default     = true
  nullable    = false
}

variable "cache_node_type" {
  description = "Size of the cache."
  type        = string
  default     = "cache.t3.micro"
  nullable    = false
}

variable "cache_engine_version" {
  description = "Version of Redis, as <major>.<minor>."
  type        = string
  default     = "7.0"
  nullable    = false
}

variable "cache_parameters" {
  description = "Redis's parameters that differ from ElastiCache's defaults: name to value."
  type        = map(string)
  default     = { maxmemory-policy = "allkeys-lru" }
  nullable    = false
}

variable "apply_immediately" {
  description = "Whether changes of database and cache take effect at once, restarts included, or in the maintenance window."
  type        = bool
  default     = true
  nullable    = false
}
