# Made here, written there, kept nowhere else: an ephemeral value and a write-only argument enter neither plan nor state.
ephemeral "aws_secretsmanager_random_password" "this" {
  for_each = local.secrets

  password_length     = each.value.length
  exclude_punctuation = true
}

locals {
  # Letters and digits only, so that the database's password can stand in a URL as it is.
  secrets = {
    database-password = {
      description = "Password of the database's user"
      length      = 32
      version     = var.database_password_version
    }
    jwt-secret = {
      description = "Key that signs session tokens"
      length      = 64
      version     = var.jwt_secret_version
    }
    api-keys = {
      description = "Keys for Authorization: Bearer, as JSON: name to key"
      length      = 40
      version     = var.api_keys_version
    }
  }

  values = {
    database-password = ephemeral.aws_secretsmanager_random_password.this["database-password"].random_password
    jwt-secret        = ephemeral.aws_secretsmanager_random_password.this["jwt-secret"].random_password
    api-keys = jsonencode({
      admin = ephemeral.aws_secretsmanager_random_password.this["api-keys"].random_password
    })
  }
}

resource "aws_secretsmanager_secret" "this" {
  # checkov:skip=CKV_AWS_149:the key aws/secretsmanager is enough within one account; policies decide who reads
  # checkov:skip=CKV2_AWS_57:rotated on purpose, by raising the version: the tasks read the value at their start only

  for_each = local.secrets

  name                    = "${var.name}/${var.environment}/${each.key}"
  description             = each.value.description
  recovery_window_in_days = var.recovery_window_days
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.secrets

  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = local.values[each.key]
  secret_string_wo_version = each.value.version

  # A new value is a new version; without this the secret would have none for a moment.
  lifecycle {
    create_before_destroy = true
  }
}
