"""Samplers: what real processes do, measured and given AWS's names, dimensions and units.

They read /proc, HAProxy, PostgreSQL and the caches; they store nothing and decide nothing.
"""

from miyabi.localcloud.control.samplers.sampler import Sampler

__all__ = ["Sampler"]
