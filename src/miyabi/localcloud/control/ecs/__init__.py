"""Live ECS: what was asked of clusters, task definitions, services and tasks, and the loops that make it so."""
