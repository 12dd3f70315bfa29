"""The local cloud: AWS's API on loopback, with a real load balancer and real task processes behind it.

`supervisor` is the parent of every process, `control` answers the API and runs the control loops, `data` drives
HAProxy and task processes. Linux only.
"""
