"""Which ECS task this process is, asked of the task metadata endpoint."""

from __future__ import annotations

import asyncio
import http.client
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_TIMEOUT_SECONDS = 2.0


class _Metadata(msgspec.Struct, rename={"task_arn": "TaskARN"}):
    task_arn: str


@dataclass(slots=True)
class Task:
    """The task as far as it is known: asking must not delay the first answer."""

    id: str | None = None

    async def learn(self, metadata_uri: str) -> None:
        """Ask until there is an answer; give up after some attempts, since only a name depends on it."""
        for attempt in range(_ATTEMPTS):
            try:
                self.id = await asyncio.to_thread(_fetch, metadata_uri)
            except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
                log.warning("the task metadata endpoint does not answer: %s", error)
                await asyncio.sleep(2**attempt)
            else:
                return


def _fetch(metadata_uri: str) -> str:
    """Return the task's id. Source: docs.aws.amazon.com, "Amazon ECS task metadata endpoint version 4"."""
    parts = urlsplit(metadata_uri)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/task")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"status {answer.status}")
    return msgspec.json.decode(body, type=_Metadata).task_arn.rpartition("/")[2]
