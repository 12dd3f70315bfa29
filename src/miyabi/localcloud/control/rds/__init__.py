"""Live RDS: DB instances that a real PostgreSQL serves.

The service's operations, one file per noun, keep what was asked; `DatabaseLoop` starts, configures and stops the
servers and reports what it observed. Only the loop does I/O beyond the store.
"""

from miyabi.localcloud.control.rds.catalogue import Versions
from miyabi.localcloud.control.rds.loop import DatabaseLoop
from miyabi.localcloud.control.rds.service import Rds

__all__ = ["DatabaseLoop", "Rds", "Versions"]
