"""Live ECS as one service."""

from __future__ import annotations

from miyabi.localcloud.control.ecs.clusters import Clusters
from miyabi.localcloud.control.ecs.definitions import TaskDefinitions
from miyabi.localcloud.control.ecs.services import Services
from miyabi.localcloud.control.ecs.tasks import Tasks


class Ecs(Clusters, TaskDefinitions, Services, Tasks):
    """Amazon ECS on Fargate."""
