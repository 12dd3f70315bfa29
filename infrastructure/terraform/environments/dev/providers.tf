# No endpoint and no keys: the environment decides which cloud answers, and module cloud checks that it is the right one.
provider "aws" {
  region = var.region

  # What operations remember about the service is theirs: how it was before a stop, until when an override holds.
  ignore_tags {
    key_prefixes = ["miyabi:stopped-", "miyabi:override-"]
  }

  default_tags {
    tags = {
      Project            = var.name
      Environment        = var.environment
      ManagedBy          = "terraform"
      "miyabi:rehearsal" = var.rehearsal
    }
  }
}
