"""What other live services ask of SNS: a request to its own API, so the journal brings back what it changes."""

from __future__ import annotations

import urllib.parse

from moto.core.request import Request

from miyabi.localcloud.control.deliveries import Outbox
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.service import ApiError, Caller

_SIGNING_NAME = "sns"


class Topics:
    """Publishes as a caller would."""

    def __init__(self, journal: Journal, outbox: Outbox) -> None:
        self._journal = journal
        self._outbox = outbox

    def publish(self, caller: Caller, topic_arn: str, subject: str, message: str) -> None:
        """Publish a message to a topic; `ApiError` where SNS refuses it."""
        asked = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic_arn, "Subject": subject}
        body = urllib.parse.urlencode(asked | {"Message": message}).encode()
        scope = f"{caller.access_key}/{caller.now:%Y%m%d}/{caller.region}/{_SIGNING_NAME}/aws4_request"
        headers = {
            "host": f"{_SIGNING_NAME}.{caller.region}.amazonaws.com",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
        }
        request = Request.from_primitives("POST", f"http://{headers['host']}/", headers, body)
        request.environ["RAW_URI"] = "/"
        request.from_wsgi_server = True
        request.get_data()
        status, _, content = self._journal.run(request, _SIGNING_NAME, caller.region, now=caller.now)
        self._outbox.take(caller.now)
        if status >= 300:
            raise ApiError("InternalError" if status >= 500 else "InvalidParameter", content.decode(errors="replace"))
