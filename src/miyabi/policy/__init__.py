"""Pure decisions: placement, scheduling, restart back-off, target health, log filters.

Imports `model` only. No I/O, no clock: the instant is a parameter. Every action carries its reason.
"""
