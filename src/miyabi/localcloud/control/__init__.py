"""The control plane: what was asked.

Stock moto answers the services that only record; live services (ECS, Elastic Load Balancing, CloudWatch Logs, the
layer part of ECR) keep rows in SQLite and are reconciled with real processes by the control loops.
"""
