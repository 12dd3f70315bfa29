"""Which service, under which names, in which cloud.

Reads `miyabi.toml`, keeps MIYABI_HOME, finds Terraform and its provider, and knows the variables that point
`aws` and `terraform` at a cloud. This is the one place that says what differs between the clouds.
"""
