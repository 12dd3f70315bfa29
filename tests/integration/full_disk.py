"""`python -m tests.integration.full_disk DIRECTORY`, on a small file system: what a full disk refuses, and keeps."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401 - moto's variables

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"

from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict

from tests.contract.control_api import Served, serve

BLOCK = 4096


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * BLOCK)
        except OSError:
            pass


def names(api: Served) -> tuple[set[str], set[str]]:
    """Return the parameters and the clusters that the API shows."""
    parameters = {
        parameter["Name"]
        for page in api.client("ssm").get_paginator("describe_parameters").paginate()
        for parameter in page["Parameters"]
    }
    return parameters, {arn.rpartition("/")[2] for arn in api.client("ecs").list_clusters()["clusterArns"]}


def until_refused(act: Any, name: str) -> set[str]:
    """Make changes until one is refused; return those that were acknowledged."""
    made: set[str] = set()
    for number in range(1000):
        try:
            act(f"{name}{number}")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                raise
            return made
        made.add(f"{name}{number}")
    raise AssertionError("a full disk took 1,000 changes")


def main(directory: Path) -> None:
    with serve(directory / "home") as api:
        ssm, ecs = api.client("ssm"), api.client("ecs")

        def put(name: str) -> None:
            ssm.put_parameter(Name=name, Value="v" * 4000, Type="String")

        def cluster(name: str) -> None:
            ecs.create_cluster(clusterName=name, tags=[{"key": "k", "value": "v" * 200}])

        put("/kept")
        cluster("kept")
        fill(directory / "filled")
        parameters = {"/kept"} | until_refused(put, "/full")
        clusters = {"kept"} | until_refused(cluster, "full")
        assert names(api) == (parameters, clusters), "a refused change is to be seen"
        (directory / "filled").unlink()
        put("/after")
        cluster("after")
        expected = parameters | {"/after"}, clusters | {"after"}
        assert names(api) == expected
    BackendDict.reset()
    with serve(directory / "home") as api:
        assert names(api) == expected, "what was acknowledged is not what a restart brings back"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
