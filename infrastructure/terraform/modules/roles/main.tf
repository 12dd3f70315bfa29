data "aws_iam_policy_document" "assumed_by_tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Only for tasks of this account and region: the service principal alone would act for anybody's.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:aws:ecs:${var.region}:${var.account_id}:*"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-ecs-execution-role-${var.environment}"
  description        = "Pulls the image and writes the log for the tasks of ${var.name} ${var.environment}"
  assume_role_policy = data.aws_iam_policy_document.assumed_by_tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

# The values that ECS puts into the containers' environment, and no other secret.
data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "SecretsOfTheTasks"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }
}

resource "aws_iam_role_policy" "execution_secrets" {
  name   = "secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets.json
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-ecs-task-role-${var.environment}"
  description        = "What the program of ${var.name} ${var.environment} may do"
  assume_role_policy = data.aws_iam_policy_document.assumed_by_tasks.json
}

# The program itself calls nothing: its secrets are in its environment. These four are what a shell in a task (ECS Exec) needs; they know no resources.
data "aws_iam_policy_document" "exec" {
  statement {
    sid = "ExecChannels"
    actions = [
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "task_exec" {
  name   = "exec"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.exec.json
}
