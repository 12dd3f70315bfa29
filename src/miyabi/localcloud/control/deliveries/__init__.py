"""What leaves SNS: HTTP requests to subscribers on loopback addresses, and mails as files in the home.

A message is a row from the moment on that its publisher is answered, and is sent again after a restart.
"""

from miyabi.localcloud.control.deliveries.loop import DeliveryLoop
from miyabi.localcloud.control.deliveries.outbox import Outbox

__all__ = ["DeliveryLoop", "Outbox"]
