"""Live ElastiCache: clusters of one node, each a Redis or Valkey process.

The service's operations, one file per noun, keep what was asked; `NodeLoop` brings the processes to it and reports
what it sees. Only the loop does I/O beyond the store.
"""

from miyabi.localcloud.control.elasticache.node_loop import NodeLoop
from miyabi.localcloud.control.elasticache.service import ElastiCache

__all__ = ["ElastiCache", "NodeLoop"]
