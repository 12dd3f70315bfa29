"""One run of an operation, as its function sees it: the cloud, the names, steps and waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from miyabi.aws.clients import Cloud
from miyabi.aws.waiting import Pending, Progress, wait_for
from miyabi.environment.config import Environment

T = TypeVar("T")


class Reporter(Protocol):
    """Shows a run to whoever waits for it."""

    def step(self, text: str) -> None:
        """Say what begins."""

    def progress(self, progress: Progress) -> None:
        """Say how a wait stands."""

    def warn(self, text: str) -> None:
        """Say what the caller should know beside the result."""


class Silent:
    """A reporter for callers that nobody watches."""

    def step(self, text: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""


class DryRunEnds(Exception):
    """Raised by a wait in a dry run: what would follow depends on what the cloud would answer."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(slots=True)
class Run:
    """What an operation acts on. In a dry run `cloud` collects changing calls instead of sending them."""

    cloud: Cloud
    environment: Environment
    """The names under which the parts are found."""
    audit_directory: Path = Path()
    """Where this writer's records wait, and what its chain has come to."""
    reporter: Reporter = field(default_factory=Silent)
    dry: bool = False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    phase: str = "begun"
    """The step that it is at: what an interruption names."""
    warnings: list[str] = field(default_factory=list)

    def step(self, text: str) -> None:
        """Begin a step; the text is a present participle: "scaling service 'api' to 3 tasks"."""
        self.phase = text
        self.reporter.step(text)

    def warn(self, text: str) -> None:
        """Say something that must not be overlooked; it is part of the result."""
        self.warnings.append(text)
        self.reporter.warn(text)

    def wait_for(
        self,
        what: str,
        look: Callable[[], T | Pending],
        *,
        deadline: timedelta,
        step: timedelta = timedelta(seconds=1),
    ) -> T:
        """Look until the answer is not `Pending`: see `miyabi.aws.waiting`. It ends a dry run."""
        if self.dry:
            raise DryRunEnds(what)
        self.phase = f"waiting for {what}"
        return wait_for(
            what,
            look,
            deadline=deadline,
            step=step,
            progress=self.reporter.progress,
            clock=self.clock,
            sleep=self.sleep,
        )
