"""Terraform's version constraints: `>= 5.100.0, < 6.0.0`, `~> 5.100`."""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"(>=|<=|!=|~>|=|>|<)?\s*v?(\d+(?:\.\d+)*)")
_VERSION = re.compile(r"\d+(?:\.\d+)*")


def satisfies(version: str, constraint: str) -> bool:
    """Say whether a release meets a constraint. Pre-releases and what cannot be read do not."""
    if not _VERSION.fullmatch(version):
        return False
    clauses = [_CLAUSE.fullmatch(clause.strip()) for clause in constraint.split(",") if clause.strip()]
    return all(clause is not None and _meets(version, clause[1] or "=", clause[2]) for clause in clauses)


def _meets(version: str, operator: str, bound: str) -> bool:  # noqa: PLR0911 - one for each operator
    have, want = _parts(version), _parts(bound)
    match operator:
        case "=":
            return have == want
        case "!=":
            return have != want
        case ">=":
            return have >= want
        case "<=":
            return have <= want
        case ">":
            return have > want
        case "<":
            return have < want
        case _:  # ~>: only the last part that is written may grow
            written = [int(part) for part in bound.split(".")]
            ceiling = [*written[:-2], written[-2] + 1] if len(written) > 1 else [written[0] + 1]
            return want <= have < tuple(ceiling + [0] * (3 - len(ceiling)))


def _parts(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))
