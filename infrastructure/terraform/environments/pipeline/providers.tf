# No endpoint and no keys: the environment decides which cloud answers, and module cloud checks that it is the right one.
provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project   = var.name
      ManagedBy = "terraform"
    }
  }
}
