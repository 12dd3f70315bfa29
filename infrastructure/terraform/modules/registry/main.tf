resource "aws_ecr_repository" "this" {
  # checkov:skip=CKV_AWS_136:AWS encrypts it with a key of its own; images hold no secret
  # checkov:skip=CKV_AWS_51:tags may move: see image_tag_mutability

  name         = var.repository_name
  force_delete = var.force_delete

  # A forced deployment resolves the tag again ("pulls latest image"), so tags may move.
  image_tag_mutability = "MUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the last ${var.keep_images} images"
      selection = {
        tagStatus   = "any"
        countType   = "imageCountMoreThan"
        countNumber = var.keep_images
      }
      action = { type = "expire" }
    }]
  })
}
