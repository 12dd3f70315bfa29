"""Live CloudWatch Logs: groups, streams and events in SQLite, filled from the output files of tasks.

The service and its database are used on the control plane's worker thread only; reading output files is not.
"""

from __future__ import annotations

from miyabi.localcloud.control.logs.filters import Filters
from miyabi.localcloud.control.logs.groups import Groups
from miyabi.localcloud.control.logs.ingest import IngestLoop
from miyabi.localcloud.control.logs.retention import Retention, RetentionLoop
from miyabi.localcloud.control.logs.search import Search
from miyabi.localcloud.control.logs.sources import Sources
from miyabi.localcloud.control.logs.tags import Tags

__all__ = ["IngestLoop", "Logs", "RetentionLoop"]


class Logs(Groups, Sources, Search, Tags, Filters, Retention):
    """The service: one method per operation, and what ECS and the loops ask of it."""
