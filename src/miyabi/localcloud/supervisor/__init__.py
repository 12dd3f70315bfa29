"""The parent of every process of a local cloud: `python -m miyabi.localcloud.supervisor --home H`.

It starts, signals, reaps and restarts processes and nothing else, so that it has little reason to fail. What
runs and why is the control plane's business. Standard library only; one thread, because a child with a
parent-death signal dies with the thread that made it.
"""
