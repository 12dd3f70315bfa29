variable "repository_name" {
  description = "Name of the repository. It has no environment in it: environments of one account and region need different names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.repository_name)) && length(var.repository_name) >= 2
    error_message = "repository_name must be lower-case letters and digits, joined by single . _ / or -."
  }
}

variable "keep_images" {
  description = "How many images are kept; older ones expire. A revision whose image expired cannot be rolled back to."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.keep_images >= 2 && floor(var.keep_images) == var.keep_images
    error_message = "keep_images must be a whole number of at least 2: the deployed image and the one before it."
  }
}

variable "force_delete" {
  description = "Whether destroying the repository also deletes the images in it. Without it a repository with images is kept and the destroy fails."
  type        = bool
  default     = false
  nullable    = false
}
