resource "aws_lb" "this" {
  # checkov:skip=CKV_AWS_150:it holds no data; a destroy must be able to delete it
  # checkov:skip=CKV_AWS_91:the tasks log each request, the metrics count the rest; a bucket of raw requests is kept by nobody in dev
  # checkov:skip=CKV2_AWS_20:no domain in dev, so no certificate and nothing to redirect to
  # checkov:skip=CKV2_AWS_28:switched on during an attack: 5 dollars a month and a price for each request

  name               = "${var.name}-alb-${var.environment}"
  load_balancer_type = "application"
  internal           = false
  subnets            = var.subnet_ids
  security_groups    = var.security_group_ids

  # Header names outside [-A-Za-z0-9] are dropped: programs disagree about what they mean, which smuggles requests.
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "this" {
  # checkov:skip=CKV_AWS_378:inside the VPC; security groups admit the load balancer only

  name                 = "${var.name}-tg-${var.environment}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.container_port
  deregistration_delay = var.deregistration_delay_seconds

  health_check {
    path                = var.health_check_path
    matcher             = "200"
    interval            = var.health_check_interval_seconds
    timeout             = var.health_check_timeout_seconds
    healthy_threshold   = var.healthy_threshold
    unhealthy_threshold = var.unhealthy_threshold
  }

  lifecycle {
    precondition {
      condition     = var.health_check_timeout_seconds < var.health_check_interval_seconds
      error_message = "health_check_timeout_seconds (${var.health_check_timeout_seconds}) must be less than health_check_interval_seconds (${var.health_check_interval_seconds})."
    }
  }
}

resource "aws_lb_listener" "http" {
  # checkov:skip=CKV_AWS_2:no domain in dev, so no certificate
  # checkov:skip=CKV_AWS_103:no TLS without a certificate

  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }

  lifecycle {
    # A target group in use cannot be deleted: when its port changes, the listener has to go first.
    replace_triggered_by = [aws_lb_target_group.this.id]
  }
}
