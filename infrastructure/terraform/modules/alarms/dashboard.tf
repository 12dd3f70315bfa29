locals {
  balancer = ["LoadBalancer", var.load_balancer_suffix]
  ecs      = ["ClusterName", var.cluster_name, "ServiceName", var.service_name]

  # What to look at first when something is wrong, from the user's side inwards. A line at each runbook target.
  widgets = [
    {
      title   = "Response time (target < 150 ms)"
      stat    = "p95"
      metrics = [for stat in ["p50", "p95", "p99"] : concat(["AWS/ApplicationELB", "TargetResponseTime"], local.balancer, [{ stat = stat }])]
      line    = 0.15
    },
    {
      title = "Requests and 5xx a minute (target 0)"
      stat  = "Sum"
      metrics = [
        for metric in ["RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"] :
        concat(["AWS/ApplicationELB", metric], local.balancer)
      ]
      line = null
    },
    {
      title   = "Tasks (target ${var.minimum_tasks})"
      stat    = "Minimum"
      metrics = [for metric in ["RunningTaskCount", "DesiredTaskCount"] : concat(["ECS/ContainerInsights", metric], local.ecs)]
      line    = var.minimum_tasks
    },
    {
      title   = "Tasks: CPU and memory, percent"
      stat    = "Average"
      metrics = [for metric in ["CPUUtilization", "MemoryUtilization"] : concat(["AWS/ECS", metric], local.ecs)]
      line    = var.cpu_threshold_percent
    },
    {
      title   = "Database: connections, CPU percent"
      stat    = "Maximum"
      metrics = [for metric in ["DatabaseConnections", "CPUUtilization"] : ["AWS/RDS", metric, "DBInstanceIdentifier", var.database_identifier]]
      line    = null
    },
    {
      title   = "Cache: hit rate (target > 80 %), memory (target < 80 %)"
      stat    = "Average"
      metrics = [for metric in ["CacheHitRate", "DatabaseMemoryUsagePercentage"] : ["AWS/ElastiCache", metric, "CacheClusterId", var.cache_cluster_id]]
      line    = 80
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${var.environment}"

  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = index % 2 * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title       = widget.title
          region      = var.region
          view        = "timeSeries"
          stat        = widget.stat
          period      = 60
          metrics     = widget.metrics
          annotations = { horizontal = [for value in [widget.line] : { value = value } if value != null] }
        }
      }
    ]
  })
}
