"""Lines that Terraform 1.11.4 wrote; `@timestamp`, `@module`, `@level` and trailing blanks are cut."""

RESOURCE = (
    '"resource":{"addr":"module.network.aws_vpc.this","module":"module.network","resource":"aws_vpc.this",'
    '"implied_provider":"aws","resource_type":"aws_vpc","resource_name":"this","resource_key":null}'
)
VERSION = '{"@message":"Terraform 1.11.4","terraform":"1.11.4","type":"version","ui":"1.2"}'
PLANNED = '{"change":{' + RESOURCE + ',"action":"create"},"type":"planned_change"}'
STARTED = '{"hook":{' + RESOURCE + ',"action":"create"},"type":"apply_start"}'
RUNNING = '{"hook":{' + RESOURCE + ',"action":"create","elapsed_seconds":10},"type":"apply_progress"}'
DONE = (
    '{"hook":{' + RESOURCE + ',"action":"create","id_key":"id","id_value":"vpc-1","elapsed_seconds":12},'
    '"type":"apply_complete"}'
)
FAILED = '{"hook":{' + RESOURCE + ',"action":"create","elapsed_seconds":3},"type":"apply_errored"}'
SUMMARY = (
    '{"@message":"Apply complete! Resources: 1 added, 0 changed, 0 destroyed.","changes":{"add":1,"change":0,'
    '"import":0,"remove":0,"operation":"apply"},"type":"change_summary"}'
)
LOCK_WAIT = '{"@message":"Acquiring state lock. This may take a few moments...","type":"state_lock_acquire"}'
INTERRUPT = (
    '{"@message":"\\nInterrupt received.\\nPlease wait for Terraform to exit or data loss may occur.\\n'
    'Gracefully shutting down...\\n","type":"log"}'
)
LOCKED = (
    '{"@message":"Error: Error acquiring the state lock","diagnostic":{"severity":"error","summary":"Error acquiring '
    'the state lock","detail":"Error message: resource temporarily unavailable\\nLock Info:\\n  ID:        '
    "d0d8a4ef-0d87-1dfa-2e60-010fdffb4802\\n  Path:      /h/state/local/terraform.tfstate\\n  Operation: "
    "OperationTypeApply\\n  Who:       root@vm\\n  Version:   1.11.4\\n  Created:   2026-11-23 15:13:45.122781229 "
    '+0000 UTC\\n  Info:      \\n\\n\\nTerraform acquires a state lock to protect the state."},"type":"diagnostic"}'
)
WRONG_TYPE = (
    '{"diagnostic":{"severity":"error","summary":"Invalid value for input variable","detail":"Unsuitable value for '
    'var.seconds set using the TF_VAR_seconds environment variable: a number is required.","range":{"filename":'
    '"main.tf","start":{"line":4,"column":1,"byte":37},"end":{"line":4,"column":19,"byte":55}},"snippet":{"context":'
    'null,"code":"variable \\"seconds\\" {","start_line":4,"highlight_start_offset":0,"highlight_end_offset":18,'
    '"values":[]}},"type":"diagnostic"}'
)
WRONG_VALUE = (
    '{"diagnostic":{"severity":"error","summary":"Invalid value for variable","detail":"retention_days must be one of '
    "CloudWatch's.\\n\\nThis was checked by the validation rule at ../../modules/logs/variables.tf:19,3-13.\","
    '"range":{"filename":"main.tf","start":{"line":42,"column":20,"byte":9},"end":{"line":42,"column":42,"byte":9}},'
    '"snippet":{"context":"module \\"logs\\"","code":"  retention_days = var.log_retention_days","start_line":42,'
    '"highlight_start_offset":19,"highlight_end_offset":41,"values":[]}},"type":"diagnostic"}'
)
WRONG_CLOUD = (
    '{"diagnostic":{"severity":"error","summary":"Invalid value for variable","detail":"Workspace \'local\' is for the '
    "local cloud, but AWS answers: account 112530848482, caller arn:aws:iam::112530848482:user/me. For the local cloud:"
    ' eval \\"$(miyabi env)\\".","range":{"filename":"main.tf","start":{"line":9,"column":3,"byte":9},'
    '"end":{"line":9,"column":9,"byte":9}}},"type":"diagnostic"}'
)
AWS_ERROR = (
    '{"diagnostic":{"severity":"error","summary":"creating ECS Service (miyabi-service-dev): operation error ECS: '
    'CreateService, https response error StatusCode: 400, InvalidParameterException: no capacity","detail":"",'
    '"address":"module.service.aws_ecs_service.this","range":{"filename":"../../modules/service/main.tf","start":'
    '{"line":80,"column":1,"byte":1},"end":{"line":80,"column":2,"byte":2}}},"type":"diagnostic"}'
)
NO_PROVIDER_TEXT = """
Initializing the backend...
╷
│ Error: Failed to query available provider packages
│
│ Could not retrieve the list of available versions for provider
│ hashicorp/aws: cannot search /tmp/none: lstat /tmp/none: no such file or
│ directory
│
│ To see which modules are currently depending on hashicorp/aws and what
│ versions are specified, run the following command:
│     terraform providers
╵
"""
