"""Every resource of the runbook exists under its name and with its settings, and Terraform keeps nothing else."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import jmespath
import pytest
from botocore.config import Config

from tests.acceptance.cloud import Rehearsal
from tests.acceptance.inventory import INVENTORY, PARTS
from tests.acceptance.inventory_items import REGION, Item, Ref

ITEMS = {item.name: item for item in INVENTORY}


class Account:
    """What the API shows of the environment."""

    def __init__(self, cloud: Rehearsal) -> None:
        instance = cloud.instance()
        keys = {"aws_access_key_id": instance["access_key"], "aws_secret_access_key": instance["secret_key"]}
        endpoint = f"http://127.0.0.1:{instance['api_port']}"

        @cache
        def client(service: str) -> Any:
            config = Config(proxies={}, retries={"max_attempts": 2})
            return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=config, **keys)  # type: ignore[call-overload]

        self.client = client
        self._found: dict[str, Any] = {}

    def find(self, item: Item) -> Any:
        """Return the one resource that the item describes."""
        if item.name not in self._found:
            service, operation, parameters = item.call
            given = {key: self.resolve(value) for key, value in parameters.items()}
            answer = getattr(self.client(service), operation)(**given)
            found = jmespath.search(item.found, answer)
            assert found is not None, f"{item.name}: no {item.found} in {answer}"
            assert len(found) == 1, f"{item.name}: {len(found)} of it"
            self._found[item.name] = found[0]
        return self._found[item.name]

    def resolve(self, value: Any) -> Any:
        """Return an expected value with the ids of the items that it refers to."""
        if isinstance(value, Ref):
            other = ITEMS[value.name]
            return jmespath.search(other.identity, self.find(other))
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        if isinstance(value, set):
            return {self.resolve(each) for each in value}
        return value


@pytest.fixture(scope="module")
def dev(configured: Rehearsal) -> Rehearsal:
    return configured


@pytest.fixture(scope="module")
def account(dev: Rehearsal) -> Iterator[Account]:
    account = Account(dev)
    yield account
    account.client.cache_clear()


@pytest.fixture(scope="module")
def outputs(dev: Rehearsal) -> dict[str, Any]:
    ran = dev.terraform("output", "-json")
    assert ran.code == 0, ran.err
    return {name: output["value"] for name, output in ran.json().items()}


@pytest.mark.parametrize("item", INVENTORY, ids=lambda item: item.name)
def test_it_is_there_under_its_name_with_its_settings(account: Account, item: Item) -> None:
    resource = account.find(item)
    assert jmespath.search(item.identity, resource) is not None
    for path, expected in item.settings.items():
        seen = jmespath.search(path, resource)
        if isinstance(expected, set):
            assert len(seen) == len(expected), f"{path}: {seen}"
            seen = set(seen)
        assert seen == account.resolve(expected), f"{item.name}: {path}"


def test_terraforms_state_is_the_inventory_and_its_parts(dev: Rehearsal) -> None:
    listed = dev.terraform("state", "list")
    assert listed.code == 0, listed.err
    managed = {line for line in listed.out.splitlines() if not re.search(r"(^|\.)data\.", line)}
    assert managed == {item.address for item in INVENTORY if item.address} | set(PARTS)


def test_the_plan_is_empty(dev: Rehearsal) -> None:
    plan = dev.terraform("plan", "-detailed-exitcode", "-no-color", "-input=false")
    assert plan.code == 0, plan.out + plan.err


def test_the_outputs_say_where_database_and_cache_answer(account: Account, outputs: dict[str, Any]) -> None:
    database = account.find(ITEMS["miyabi-db-dev"])["Endpoint"]
    assert outputs["rds_endpoint"] == f"{database['Address']}:{database['Port']}"
    node = account.find(ITEMS["miyabi-cache-dev"])["CacheNodes"][0]["Endpoint"]
    assert outputs["redis_endpoint"] == node["Address"]
    assert outputs["redis_connection_string"] == f"redis://{node['Address']}:{node['Port']}"
    # Tools that speak PostgreSQL and Redis do not resolve made-up names, so the address itself is handed out.
    assert ipaddress.ip_address(database["Address"]).is_loopback
    assert ipaddress.ip_address(node["Address"]).is_loopback


def test_the_tasks_get_the_addresses_that_the_outputs_say(account: Account, outputs: dict[str, Any]) -> None:
    container = account.find(ITEMS["miyabi-app-dev"])["containerDefinitions"][0]
    environment = {pair["name"]: pair["value"] for pair in container["environment"]}
    assert f"{environment['DATABASE_HOST']}:{environment['DATABASE_PORT']}" == outputs["rds_endpoint"]
    assert environment["REDIS_URL"] == outputs["redis_connection_string"]


def test_an_execution_role_reads_the_three_secrets_and_no_other(account: Account) -> None:
    iam = account.client("iam")
    policy = iam.get_role_policy(RoleName="miyabi-ecs-execution-role-dev", PolicyName="secrets")["PolicyDocument"]
    statement = policy["Statement"] if isinstance(policy["Statement"], dict) else policy["Statement"][0]
    assert statement["Action"] == "secretsmanager:GetSecretValue"
    secrets = [item for item in INVENTORY if item.table == "secrets"]
    assert set(statement["Resource"]) == {account.find(item)["ARN"] for item in secrets}


def test_the_secrets_have_the_form_that_their_readers_expect_and_are_in_no_state_or_plan(
    account: Account, dev: Rehearsal
) -> None:
    values = {
        item.name.rpartition("/")[2]: account.client("secretsmanager").get_secret_value(SecretId=item.name)
        for item in INVENTORY
        if item.table == "secrets"
    }
    password = values["database-password"]["SecretString"]
    signing = values["jwt-secret"]["SecretString"]
    keys = json.loads(values["api-keys"]["SecretString"])
    assert re.fullmatch(r"[A-Za-z0-9]{32}", password)
    assert re.fullmatch(r"[A-Za-z0-9]{64}", signing)
    assert list(keys) == ["admin"]
    plan = dev.terraform("plan", "-out=kept.tfplan", "-input=false", "-no-color")
    assert plan.code == 0, plan.err
    kept = [dev.terraform("show", "-json", "kept.tfplan").out, dev.terraform("state", "pull").out, plan.out]
    for value in (password, signing, keys["admin"]):
        assert not any(value in text for text in kept)
