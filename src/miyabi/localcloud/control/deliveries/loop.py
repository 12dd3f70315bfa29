"""The loop that sends: each subscription's messages in order, the subscriptions independent of each other."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

from miyabi.localcloud.control.deliveries.documents import mail, request
from miyabi.localcloud.control.deliveries.outbox import Delivery, Outbox
from miyabi.localcloud.control.deliveries.sending import NotLocal, post, put_mail
from miyabi.localcloud.control.engine import Engine

log = logging.getLogger(__name__)

ANSWER_WITHIN = timedelta(seconds=15)
"""As on AWS. Source: docs.aws.amazon.com, "HTTP/HTTPS endpoint delivery"."""
_IDLE = timedelta(hours=1)
_NEVER = 400
"""What a try counts as that no later one could mend."""


class DeliveryLoop:
    """Begins what is due; a subscriber that is slow or dead holds up its own messages only."""

    name = "sns-deliveries"

    def __init__(self, engine: Engine, outbox: Outbox, mail_directory: Path) -> None:
        self._engine = engine
        self._outbox = outbox
        self._mail = mail_directory
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def step(self) -> timedelta:
        """Begin the deliveries that are due; look again when the next one is."""
        waiting = await self._engine.run(self._outbox.waiting)
        now = self._engine.clock()
        pauses = [_IDLE]
        for arn, row in waiting.items():
            if arn in self._under_way:
                continue
            if row.due_at > now:
                pauses.append(row.due_at - now)
                continue
            self._under_way[arn] = asyncio.create_task(self._deliver(arn, row))
        return min(pauses)

    async def close(self) -> None:
        """Abandon what is under way; it is sent again after the next start."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.clear()

    async def _deliver(self, arn: str, row: Delivery) -> None:
        try:
            status, error = await self._send(row)
            await self._engine.run(self._outbox.ended, row, status, error, self._engine.clock())
        except Exception:
            log.exception("the delivery of %s cannot be made; it is tried again", row.key)
            await asyncio.sleep(1)
        finally:
            self._under_way.pop(arn, None)
            self._engine.wake()

    async def _send(self, row: Delivery) -> tuple[int | None, str]:
        """Return the status that the subscriber answered, or why there was none."""
        message = row.message
        try:
            if message.protocol.startswith("email"):
                try:
                    content = mail(message, row.published_at)
                except Exception as error:  # noqa: BLE001 - `email` raises whatever it stumbles over in an address
                    return _NEVER, f"no mail can be written to {message.endpoint}: {type(error).__name__}: {error}"
                name = f"{row.published_at:%Y-%m-%dT%H-%M-%S-%f}-{message.message_id}"
                await asyncio.to_thread(put_mail, self._mail, message.endpoint, name, content)
                return 200, ""
            headers, body = request(message, row.published_at)
            async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
                return await post(message.endpoint, headers, body), ""
        except NotLocal as error:
            return _NEVER, str(error)
        except TimeoutError:
            return None, f"no answer within {ANSWER_WITHIN.total_seconds():.0f} s"
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            return None, f"{type(error).__name__}: {error}"
