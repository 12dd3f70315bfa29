"""`kill -9` of one process after another, and the proof after each that nothing acknowledged was lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import statistics
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import redis
from botocore.exceptions import BotoCoreError, ClientError

from miyabi.environment.home import Home
from miyabi.localcloud.supervisor.identity import Identity, descendants, identify
from miyabi.localcloud.supervisor_client import BlockingSupervisorClient
from miyabi.model.errors import MiyabiError
from tests.acceptance.cloud import Rehearsal, until
from tests.acceptance.faults import command_of
from tests.acceptance.ledger import ApiLedger, RowLedger, clients_of
from tests.acceptance.ledger_kinds import Clients
from tests.acceptance.small_terraform import SmallTerraform
from tests.acceptance.test_inventory_changes import database_url, query

CLUSTER, SERVICE = "miyabi-cluster-dev", "miyabi-service-dev"
PARTS = ("control", "supervisor", "guardian", "haproxy", "postgresql/", "cache/", "task/")
"""How the supervisor's children are called, the supervisor itself, and its parent."""
SITUATIONS = ("apply", "writes", "rest")
SHORT = (
    ("apply", "control"),
    ("apply", "supervisor"),
    ("apply", "control"),
    ("writes", "postgresql/"),
    ("writes", "control"),
    ("writes", "supervisor"),
    ("writes", "cache/"),
    ("rest", "haproxy"),
    ("rest", "task/"),
    ("rest", "control"),
)
"""Ten kills in which every part but the guardian, whose tests are elsewhere, and every situation occurs."""
BACK_SECONDS = 60.0
"""Ends a hopeless wait; the bounds on recovery are held by the tests of the single parts."""
_LONGEST_DELAY_SECONDS = {"apply": 1.5, "writes": 1.0, "rest": 0.2}
_NOT_YET = (OSError, TimeoutError, BotoCoreError, ClientError, MiyabiError, asyncpg.PostgresError, redis.RedisError)


def long_plan(count: int, dice: random.Random) -> Iterator[tuple[str, str]]:
    """Yield `count` kills: every part in every situation, each round in another order."""
    every = list(itertools.product(SITUATIONS, PARTS))
    while count > 0:
        dice.shuffle(every)
        yield from every[:count]
        count -= len(every)


@dataclass
class Battlefield:
    """The environment that is shot at, with its ledgers."""

    cloud: Rehearsal
    small: SmallTerraform
    dice: random.Random
    took: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds until everything was back, by situation and part."""

    def __post_init__(self) -> None:
        self.aws: Clients = clients_of(self.cloud)
        self.url = database_url(self.cloud)
        self.api = ApiLedger(self.aws)
        self.rows = RowLedger(self.url)
        self.front = f"http://{self.cloud.terraform('output', '-raw', 'alb_dns_name').out}/health"
        self.group = self.cloud.terraform("output", "-raw", "target_group_arn").out
        until(lambda: attempted(self.is_whole), seconds=BACK_SECONDS, what="a whole environment before the first kill")
        self.before = self.identities()

    def strike(self, situation: str, part: str) -> str:
        """Kill a process of the part in the situation, wait until all is back, check everything; say what was."""
        with contextlib.ExitStack() as stack:
            applying = None
            if situation == "apply":
                applying = self.small.begin_apply()
                applying.await_changes(60)
            if situation == "writes":
                stack.enter_context(self.api.writing())
                stack.enter_context(self.rows.writing())
                written = len(self.rows.acknowledged)
                until(lambda: len(self.rows.acknowledged) > written, seconds=BACK_SECONDS, what="a row")
            # The random moment.
            time.sleep(self.dice.uniform(0, _LONGEST_DELAY_SECONDS[situation]))
            killed, seconds = self._kill(part)
            self.took[situation, part].append(seconds)
            ended = f"terraform ended with {self._finish(applying.result(180))}" if applying is not None else ""
        self.check()
        return f"{situation:6} {killed:44} back in {seconds:5.2f} s  {ended}"

    def check(self) -> None:
        """Fail where anything that was acknowledged is not there as it was."""
        self.api.check()
        self.rows.check()
        assert self.identities() == self.before

    def is_whole(self) -> bool:
        """Say whether every part answers and the API shows it so."""
        ecs, elbv2 = self.aws("ecs"), self.aws("elbv2")
        service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        targets = elbv2.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        database = self.aws("rds").describe_db_instances(DBInstanceIdentifier="miyabi-db-dev")["DBInstances"][0]
        (cache,) = self.aws("elasticache").describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        node = cache["CacheNodes"][0]["Endpoint"]
        return (
            service["runningCount"] == service["desiredCount"] == 2
            and sum(target["TargetHealth"]["State"] == "healthy" for target in targets) == 2
            and database["DBInstanceStatus"] == "available"
            and cache["CacheClusterStatus"] == "available"
            and query(self.url, "SELECT 1") == 1
            and answers_ping(node["Address"], node["Port"])
            and all(self.cloud.get(self.front)[0] == 200 for _ in range(4))
        )

    def identities(self) -> dict[str, Any]:
        """Return the ids, addresses and creation dates of the environment's own resources."""
        service = self.aws("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        database = self.aws("rds").describe_db_instances()["DBInstances"][0]
        (cache,) = self.aws("elasticache").describe_cache_clusters(ShowCacheNodeInfo=True)["CacheClusters"]
        roles = self.aws("iam").list_roles()["Roles"]
        secrets = self.aws("secretsmanager").list_secrets()["SecretList"]
        groups = self.aws("logs").describe_log_groups(logGroupNamePrefix="/ecs/")["logGroups"]
        return {
            "vpcs": self.aws("ec2").describe_vpcs()["Vpcs"],
            "subnets": self.aws("ec2").describe_subnets()["Subnets"],
            "balancers": self.aws("elbv2").describe_load_balancers()["LoadBalancers"],
            "target groups": self.aws("elbv2").describe_target_groups(Names=["miyabi-tg-dev"])["TargetGroups"],
            "service": {name: service[name] for name in ("serviceArn", "createdAt", "taskDefinition", "desiredCount")},
            "database": {name: database[name] for name in ("DbiResourceId", "InstanceCreateTime", "Endpoint")},
            "cache": (cache["ARN"], cache["CacheClusterCreateTime"], cache["CacheNodes"][0]["Endpoint"]),
            "images": self.aws("ecr").describe_images(repositoryName="miyabi-web-api")["imageDetails"],
            "image": self.aws("ssm").get_parameter(Name="/miyabi/dev/image")["Parameter"],
            "roles": [(one["RoleId"], one["CreateDate"]) for one in roles if one["RoleName"].startswith("miyabi-")],
            "secrets": [(one["ARN"], one["CreatedDate"]) for one in secrets if one["Name"].startswith("miyabi/")],
            "logs": [(one["arn"], one["creationTime"]) for one in groups],
        }

    def table(self) -> str:
        """Return the recovery times by part and situation."""
        lines = [f"{'situation':10}{'part':14}{'kills':>6}{'median':>9}{'longest':>9}"]
        for (situation, part), seconds in sorted(self.took.items()):
            middle, longest = statistics.median(seconds), max(seconds)
            lines.append(f"{situation:10}{part.rstrip('/'):14}{len(seconds):6}{middle:8.2f}s{longest:8.2f}s")
        return "\n".join(lines)

    def _kill(self, part: str) -> tuple[str, float]:
        """Kill a process of the part; return what it was and the seconds until all is back."""
        name, victim = self._victim(part)
        gone = {name} if part == "task/" else set()
        began = time.monotonic()
        victim.kill()
        if name == "supervisor":
            up = self.cloud.miyabi("up")
            assert up.code == 0, up.out + up.err

        def back() -> bool:
            states = self._supervisor().list()
            running = {state.name: state.pid for state in states if state.running}
            replaced = victim.pid not in running.values() and not gone & set(running)
            ready = f"http://127.0.0.1:{self.cloud.instance()['api_port']}/_miyabi/ready"
            with urllib.request.urlopen(ready, timeout=5) as answer:
                return replaced and bool(json.load(answer)["ready"]) and self.is_whole()

        until(lambda: attempted(back), seconds=BACK_SECONDS, what=f"everything after the kill of {name}")
        return f"{name} {victim.pid}", time.monotonic() - began

    def _victim(self, part: str) -> tuple[str, Identity]:
        """Choose among the part's processes; of HAProxy and PostgreSQL also among those that they started."""
        if part in {"supervisor", "guardian"}:
            supervisor = self._supervisor().pid()
            guardian = parent_of(supervisor)
            # Once killed, it comes back with the next `up` that starts a supervisor: until then that one is the victim.
            if part == "guardian" and "miyabi.localcloud.supervisor" in command_of(guardian):
                return part, identified(guardian)
            return "supervisor", identified(supervisor)
        children = [state for state in self._supervisor().list() if state.running and state.name.startswith(part)]
        child = self.dice.choice(sorted(children, key=lambda state: state.name))
        own = [identified(child.pid)]
        if part in {"haproxy", "postgresql/"}:
            own += sorted(descendants(child.pid), key=lambda found: found.pid)
        return child.name, self.dice.choice(own)

    def _supervisor(self) -> BlockingSupervisorClient:
        return BlockingSupervisorClient(Home(self.cloud.home).run)

    def _finish(self, ended: tuple[int, str]) -> int:
        """Hold that Terraform's plan is empty or finishes the interrupted change; return how the apply had ended."""
        code, printed = ended
        plan = self.small.plan()
        if code == 0:
            assert plan.code == 0, printed + plan.out
            return code
        assert plan.code in {0, 2}, printed + plan.out
        if plan.code == 2:
            again = self.small.apply()
            assert again.code == 0, printed + again.out
            plan = self.small.plan()
            assert plan.code == 0, plan.out
        return code


def identified(pid: int) -> Identity:
    """Return the process's identity; it must be there."""
    found = identify(pid)
    assert found is not None, pid
    return found


def parent_of(pid: int) -> int:
    """Return the pid of the process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def attempted(check: Callable[[], bool]) -> bool:
    """Say whether it is so; what cannot be asked yet is not so."""
    try:
        return check()
    except _NOT_YET:
        return False


def answers_ping(address: str, port: int) -> bool:
    with redis.Redis(host=address, port=port, socket_timeout=2, socket_connect_timeout=2) as cache:
        return bool(cache.ping())


def seed() -> int:
    """Return the seed of the kills: MIYABI_SOAK_SEED, in CI always the same, elsewhere another each time."""
    given = os.environ.get("MIYABI_SOAK_SEED")
    if given:
        return int(given)
    return 20261127 if os.environ.get("CI") else random.SystemRandom().randrange(10**9)
