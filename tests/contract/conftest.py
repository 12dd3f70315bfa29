"""moto's state is one for the process: each module starts without what others left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.base_backend import BackendDict

from tests.contract.control_api import Served, serve


@pytest.fixture(scope="module", autouse=True)
def clean_moto() -> Iterator[None]:
    BackendDict.reset()
    yield
    BackendDict.reset()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def cloudwatch(served: Served) -> Any:
    return served.client("cloudwatch")
