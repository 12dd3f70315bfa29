"""What the environment dev consists of: every resource of the runbook's tables, its name and its settings.

An `Item` says how AWS's API shows a resource and what must be found there. `PARTS` are the pieces without a name that
Terraform keeps beside them; together they are the whole state.
"""

from __future__ import annotations

from tests.acceptance.inventory_items import (
    CLUSTER,
    SCALED,
    SERVICE,
    ZONES,
    Item,
    Ref,
    alarm,
    by_tag,
    log_group,
    role,
    route_table,
    scaling_policy,
    secret,
    security_group,
    subnet,
)

NETWORK = [
    Item(
        "network", "miyabi-vpc-dev", "module.network.aws_vpc.this", by_tag("describe_vpcs", "miyabi-vpc-dev"),
        "Vpcs", "VpcId", {"CidrBlock": "10.0.0.0/16"},
    ),
    Item(
        "network", "miyabi-igw-dev", "module.network.aws_internet_gateway.this",
        by_tag("describe_internet_gateways", "miyabi-igw-dev"), "InternetGateways", "InternetGatewayId",
        {"Attachments[].VpcId": [Ref("miyabi-vpc-dev")]},
    ),
    Item(
        "network", "miyabi-nat-dev", "module.network.aws_nat_gateway.this",
        by_tag("describe_nat_gateways", "miyabi-nat-dev"), "NatGateways", "NatGatewayId",
        {
            "SubnetId": Ref("miyabi-public-us-west-2a-dev"),
            "NatGatewayAddresses[].AllocationId": [Ref("miyabi-nat-eip-dev")],
        },
    ),
    Item(
        "network", "miyabi-nat-eip-dev", "module.network.aws_eip.nat",
        by_tag("describe_addresses", "miyabi-nat-eip-dev"), "Addresses", "AllocationId", {"Domain": "vpc"},
    ),
    subnet("public", "us-west-2a", "10.0.1.0/24"),
    subnet("public", "us-west-2b", "10.0.2.0/24"),
    subnet("private", "us-west-2a", "10.0.11.0/24"),
    subnet("private", "us-west-2b", "10.0.12.0/24"),
    route_table("public", "GatewayId", Ref("miyabi-igw-dev")),
    route_table("private", "NatGatewayId", Ref("miyabi-nat-dev")),
]  # fmt: skip

FROM_TASKS = {"IpPermissions[].UserIdGroupPairs[].GroupId": [Ref("miyabi-ecs-sg-dev")]}
SECURITY = [
    security_group("alb", 80, {"IpPermissions[].IpRanges[].CidrIp": ["0.0.0.0/0"]}, egress=1),
    security_group("ecs", 8080, {"IpPermissions[].UserIdGroupPairs[].GroupId": [Ref("miyabi-alb-sg-dev")]}, egress=1),
    security_group("rds", 5432, FROM_TASKS, egress=0),
    security_group("redis", 6379, FROM_TASKS, egress=0),
    *role("execution", ["AmazonECSTaskExecutionRolePolicy"], "secrets"),
    *role("task", [], "exec"),
]

CONTAINER = "containerDefinitions[0]"
COMPUTE = [
    Item(
        "compute", CLUSTER, "module.service.aws_ecs_cluster.this",
        ("ecs", "describe_clusters", {"clusters": [CLUSTER], "include": ["SETTINGS"]}), "clusters", "clusterArn",
        {"status": "ACTIVE", "settings[?name=='containerInsights'].value": ["enabled"]},
    ),
    Item(
        "compute", "miyabi-app-dev", "module.service.aws_ecs_task_definition.this",
        ("ecs", "describe_task_definition", {"taskDefinition": "miyabi-app-dev"}), "[taskDefinition]",
        "taskDefinitionArn",
        {
            "cpu": "512",
            "memory": "1024",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "executionRoleArn": Ref("miyabi-ecs-execution-role-dev"),
            "taskRoleArn": Ref("miyabi-ecs-task-role-dev"),
            f"{CONTAINER}.name": "miyabi-app",
            f"{CONTAINER}.portMappings[].containerPort": [8080],
            f'{CONTAINER}.logConfiguration.options."awslogs-group"': "/ecs/miyabi-dev",
            f"sort({CONTAINER}.environment[].name)": [
                "DATABASE_HOST", "DATABASE_NAME", "DATABASE_PORT", "DATABASE_USER", "REDIS_URL",
            ],
            f"{CONTAINER}.environment[?name=='DATABASE_NAME'].value": ["miyabi_dev"],
            f"{CONTAINER}.environment[?name=='DATABASE_USER'].value": ["miyabi_user"],
            f"{CONTAINER}.secrets[?name=='DATABASE_PASSWORD'].valueFrom": [Ref("miyabi/dev/database-password")],
            f"{CONTAINER}.secrets[?name=='JWT_SECRET'].valueFrom": [Ref("miyabi/dev/jwt-secret")],
            f"{CONTAINER}.secrets[?name=='API_KEYS'].valueFrom": [Ref("miyabi/dev/api-keys")],
        },
    ),
    Item(
        "compute", SERVICE, "module.service.aws_ecs_service.this",
        ("ecs", "describe_services", {"cluster": CLUSTER, "services": [SERVICE]}), "services", "serviceArn",
        {
            "status": "ACTIVE",
            "desiredCount": 2,
            "launchType": "FARGATE",
            "enableExecuteCommand": True,
            "deploymentConfiguration.deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "loadBalancers[].[targetGroupArn, containerName, containerPort]": [
                [Ref("miyabi-tg-dev"), "miyabi-app", 8080]
            ],
        },
    ),
    Item(
        "compute", "scalable target", "module.scaling.aws_appautoscaling_target.this",
        ("application-autoscaling", "describe_scalable_targets", SCALED), "ScalableTargets", "ScalableTargetARN",
        {"MinCapacity": 2, "MaxCapacity": 4, "ScalableDimension": "ecs:service:DesiredCount"},
    ),
    scaling_policy("cpu", "ECSServiceAverageCPUUtilization", 70.0),
    scaling_policy("memory", "ECSServiceAverageMemoryUtilization", 80.0),
    scaling_policy("requests", "ALBRequestCountPerTarget", 1000.0),
    Item(
        "registry", "miyabi-web-api", "module.registry.aws_ecr_repository.this",
        ("ecr", "describe_repositories", {"repositoryNames": ["miyabi-web-api"]}), "repositories", "repositoryUri",
        {"repositoryUri": "112530848482.dkr.ecr.us-west-2.amazonaws.com/miyabi-web-api"},
    ),
    Item(
        "registry", "/miyabi/dev/image", "module.service.aws_ssm_parameter.image",
        ("ssm", "get_parameter", {"Name": "/miyabi/dev/image"}), "[Parameter]", "ARN", {"Type": "String"},
    ),
]  # fmt: skip

BALANCER = [
    Item(
        "load balancer", "miyabi-alb-dev", "module.load_balancer.aws_lb.this",
        ("elbv2", "describe_load_balancers", {"Names": ["miyabi-alb-dev"]}), "LoadBalancers", "LoadBalancerArn",
        {
            "Scheme": "internet-facing",
            "Type": "application",
            "State.Code": "active",
            "sort(AvailabilityZones[].ZoneName)": list(ZONES),
            "SecurityGroups": [Ref("miyabi-alb-sg-dev")],
        },
    ),
    Item(
        "load balancer", "miyabi-tg-dev", "module.load_balancer.aws_lb_target_group.this",
        ("elbv2", "describe_target_groups", {"Names": ["miyabi-tg-dev"]}), "TargetGroups", "TargetGroupArn",
        {
            "[Protocol, Port, TargetType]": ["HTTP", 8080, "ip"],
            "HealthCheckPath": "/health",
            "LoadBalancerArns": [Ref("miyabi-alb-dev")],
        },
    ),
    Item(
        "load balancer", "HTTP listener", "module.load_balancer.aws_lb_listener.http",
        ("elbv2", "describe_listeners", {"LoadBalancerArn": Ref("miyabi-alb-dev")}), "Listeners", "ListenerArn",
        {
            "[Protocol, Port]": ["HTTP", 80],
            "DefaultActions[].[Type, TargetGroupArn]": [["forward", Ref("miyabi-tg-dev")]],
        },
    ),
]  # fmt: skip

PRIVATE = {Ref(f"miyabi-private-{zone}-dev") for zone in ZONES}
STORED = [
    Item(
        "cache", "miyabi-cache-dev", "module.cache.aws_elasticache_cluster.this",
        ("elasticache", "describe_cache_clusters", {"CacheClusterId": "miyabi-cache-dev", "ShowCacheNodeInfo": True}),
        "CacheClusters", "CacheNodes[0].Endpoint.Address",
        {
            "[CacheClusterStatus, Engine, CacheNodeType, NumCacheNodes]": ["available", "redis", "cache.t3.micro", 1],
            "starts_with(EngineVersion, '7.0')": True,
            "CacheParameterGroup.CacheParameterGroupName": "miyabi-redis-params-dev",
            "CacheSubnetGroupName": "miyabi-cache-subnet-dev",
            "SecurityGroups[].SecurityGroupId": [Ref("miyabi-redis-sg-dev")],
            "CacheNodes[].Endpoint.Port": [6379],
            "SnapshotRetentionLimit": 0,
        },
    ),
    Item(
        "cache", "miyabi-redis-params-dev", "module.cache.aws_elasticache_parameter_group.this",
        (
            "elasticache", "describe_cache_parameters",
            {"CacheParameterGroupName": "miyabi-redis-params-dev", "Source": "user"},
        ),
        "[Parameters]", settings={"[].[ParameterName, ParameterValue]": [["maxmemory-policy", "allkeys-lru"]]},
    ),
    Item(
        "cache", "miyabi-cache-subnet-dev", "module.cache.aws_elasticache_subnet_group.this",
        ("elasticache", "describe_cache_subnet_groups", {"CacheSubnetGroupName": "miyabi-cache-subnet-dev"}),
        "CacheSubnetGroups",
        settings={"VpcId": Ref("miyabi-vpc-dev"), "Subnets[].SubnetIdentifier": PRIVATE},
    ),
    Item(
        "database", "miyabi-db-dev", "module.database.aws_db_instance.this",
        ("rds", "describe_db_instances", {"DBInstanceIdentifier": "miyabi-db-dev"}), "DBInstances",
        "Endpoint.Address",
        {
            "[DBInstanceStatus, Engine, DBInstanceClass]": ["available", "postgres", "db.t3.micro"],
            "[DBName, MasterUsername]": ["miyabi_dev", "miyabi_user"],
            "AllocatedStorage": 20,
            "StorageEncrypted": True,
            "PubliclyAccessible": False,
            "BackupRetentionPeriod": 7,
            "PreferredBackupWindow": "03:00-04:00",
            "DeletionProtection": False,
            "MultiAZ": False,
            "VpcSecurityGroups[].VpcSecurityGroupId": [Ref("miyabi-rds-sg-dev")],
            "DBSubnetGroup.DBSubnetGroupName": "miyabi-db-subnet-dev",
            "DBParameterGroups[].[DBParameterGroupName, ParameterApplyStatus]": [
                ["miyabi-postgres17-params-dev", "in-sync"]
            ],
        },
    ),
    Item(
        "database", "miyabi-postgres17-params-dev", "module.database.aws_db_parameter_group.this",
        ("rds", "describe_db_parameters", {"DBParameterGroupName": "miyabi-postgres17-params-dev", "Source": "user"}),
        "[Parameters]", settings={"[].[ParameterName, ParameterValue]": [["log_min_duration_statement", "1000"]]},
    ),
    Item(
        "database", "miyabi-db-subnet-dev", "module.database.aws_db_subnet_group.this",
        ("rds", "describe_db_subnet_groups", {"DBSubnetGroupName": "miyabi-db-subnet-dev"}), "DBSubnetGroups",
        settings={"VpcId": Ref("miyabi-vpc-dev"), "Subnets[].SubnetIdentifier": PRIVATE},
    ),
    secret("database-password"),
    secret("jwt-secret"),
    secret("api-keys"),
]  # fmt: skip

WATCHED = [
    log_group("/ecs/miyabi-dev", "this", 7),
    log_group("/miyabi/dev/audit", "audit", 365),
    alarm(
        "miyabi-service-cpu-high-dev",
        'utilization["cpu"]',
        {
            "[Namespace, MetricName, Statistic]": ["AWS/ECS", "CPUUtilization", "Average"],
            "[ComparisonOperator, Threshold, EvaluationPeriods]": ["GreaterThanThreshold", 70.0, 2],
        },
    ),
    alarm(
        "miyabi-service-memory-high-dev",
        'utilization["memory"]',
        {
            "[Namespace, MetricName, Statistic]": ["AWS/ECS", "MemoryUtilization", "Average"],
            "[ComparisonOperator, Threshold, EvaluationPeriods]": ["GreaterThanThreshold", 80.0, 2],
        },
    ),
    alarm(
        "miyabi-service-low-tasks-dev",
        "low_tasks",
        {
            "[Namespace, MetricName]": ["ECS/ContainerInsights", "RunningTaskCount"],
            "[ComparisonOperator, Threshold]": ["LessThanThreshold", 2.0],
        },
    ),
    *(
        alarm(
            f"miyabi-{name}-dev",
            f'target["{name}"]',
            {
                "[Namespace, MetricName, Statistic]": [namespace, metric, "Average"],
                "[ComparisonOperator, Threshold, TreatMissingData]": [f"{comparison}Threshold", limit, "notBreaching"],
            },
            of_service=False,
        )
        for name, namespace, metric, comparison, limit in (
            ("alb-response-time", "AWS/ApplicationELB", "TargetResponseTime", "GreaterThan", 0.15),
            ("db-connections-high", "AWS/RDS", "DatabaseConnections", "GreaterThan", 88.0),
            ("cache-memory-high", "AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "GreaterThan", 80.0),
            ("cache-hit-ratio-low", "AWS/ElastiCache", "CacheHitRate", "LessThan", 80.0),
        )
    ),
    alarm(
        "miyabi-alb-5xx-dev",
        "errors",
        {
            "Metrics[?ReturnData].Expression": ["FILL(targets, 0) + FILL(balancer, 0)"],
            "[ComparisonOperator, Threshold]": ["GreaterThanThreshold", 0.0],
            "[EvaluationPeriods, DatapointsToAlarm]": [5, 1],
        },
        of_service=False,
    ),
    Item(
        "monitoring", "miyabi-alerts-dev", "module.alarms.aws_sns_topic.this", ("sns", "list_topics", {}),
        "Topics[?ends_with(TopicArn, ':miyabi-alerts-dev')]", "TopicArn",
    ),
    Item(
        "monitoring", "miyabi-dev", "module.alarms.aws_cloudwatch_dashboard.this",
        ("cloudwatch", "get_dashboard", {"DashboardName": "miyabi-dev"}), "[@]", "DashboardArn",
        {"DashboardName": "miyabi-dev"},
    ),
    Item(
        "cost", "miyabi-budget-dev", "module.budget.aws_budgets_budget.this",
        ("budgets", "describe_budget", {"AccountId": "112530848482", "BudgetName": "miyabi-budget-dev"}), "[Budget]",
        settings={"[BudgetType, TimeUnit, BudgetLimit.Unit]": ["COST", "MONTHLY", "USD"]},
    ),
    Item(
        "operation", "miyabi-lock-dev", "module.lock_table.aws_dynamodb_table.this",
        ("dynamodb", "describe_table", {"TableName": "miyabi-lock-dev"}), "[Table]", "TableArn",
        {"KeySchema": [{"AttributeName": "lock_id", "KeyType": "HASH"}], "TableStatus": "ACTIVE"},
    ),
    Item(
        "operation", "miyabi-operator-policy-dev", "module.operator_policy.aws_iam_policy.this",
        ("iam", "list_policies", {"Scope": "Local"}), "Policies[?PolicyName=='miyabi-operator-policy-dev']", "Arn",
    ),
    Item(
        "operation", "miyabi-deploy-policy-dev", "module.deploy_policy.aws_iam_policy.this",
        ("iam", "list_policies", {"Scope": "Local"}), "Policies[?PolicyName=='miyabi-deploy-policy-dev']", "Arn",
    ),
]  # fmt: skip

INVENTORY = (*NETWORK, *SECURITY, *COMPUTE, *BALANCER, *STORED, *WATCHED)

PARTS = (
    "module.alarms.aws_sns_topic_policy.this",
    "module.cloud.terraform_data.this",
    "module.network.aws_default_security_group.this",
    "module.network.aws_route.internet",
    "module.network.aws_route.nat",
    *(
        f'module.network.aws_route_table_association.{kind}["{zone}"]'
        for kind in ("public", "private")
        for zone in ZONES
    ),
    "module.registry.aws_ecr_lifecycle_policy.this",
    *(
        f'module.secrets.aws_secretsmanager_secret_version.this["{key}"]'
        for key in ("database-password", "jwt-secret", "api-keys")
    ),
    "module.security_groups.aws_vpc_security_group_ingress_rule.alb_http",
    "module.security_groups.aws_vpc_security_group_egress_rule.alb_all",
    "module.security_groups.aws_vpc_security_group_ingress_rule.ecs_from_alb",
    "module.security_groups.aws_vpc_security_group_egress_rule.ecs_all",
    "module.security_groups.aws_vpc_security_group_ingress_rule.rds_from_ecs",
    "module.security_groups.aws_vpc_security_group_ingress_rule.redis_from_ecs",
)
