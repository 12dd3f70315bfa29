"""moto's state is one for the process: each module starts without what others left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.core.base_backend import BackendDict


@pytest.fixture(scope="module", autouse=True)
def clean_moto() -> Iterator[None]:
    BackendDict.reset()
    yield
    BackendDict.reset()
