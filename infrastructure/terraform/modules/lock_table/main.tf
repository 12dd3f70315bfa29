# One item for each lock: owner, lease and fencing number. The number only grows, so items are never expired.
resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_119:who holds a lock is no secret
  # checkov:skip=CKV_AWS_28:a lock of yesterday is worth nothing

  name         = "${var.name}-lock-${var.environment}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "lock_id"

  attribute {
    name = "lock_id"
    type = "S"
  }
}
