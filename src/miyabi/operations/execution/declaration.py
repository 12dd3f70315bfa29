"""The declaration of an operation: one plain function, and what all who offer it must know."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from miyabi.operations.execution.parameters import Parameter, parameters_of
from miyabi.operations.execution.run import Run

Function = Callable[[Run, Any], Any]
Verification = Callable[[Run, Any, Any], Any]


class Effect(enum.Enum):
    """What an operation does to the environment."""

    READ = "read"
    """Nothing: no lock, no audit."""
    CHANGE = "change"
    """It changes something that can be changed back; it has a dry run."""
    DESTROY = "destroy"
    """Something is lost: the name of what is lost must be typed."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A declared operation."""

    name: str
    """`<noun>.<verb>`, as it is called everywhere: `service.scale`."""
    effect: Effect
    permissions: tuple[str, ...]
    """IAM actions, `ecs:UpdateService`: all that it calls, and nothing else."""
    function: Function
    verify: Verification | None
    params: type
    summary: str
    """The first line of the function's docstring."""
    description: str
    locked: bool
    """Whether it takes the environment's lock."""
    audited: bool
    destroys: Callable[[Any, Any], str] | None
    """(environment, params) -> the name that must be typed; only where effect is DESTROY."""

    @property
    def noun(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        """The last part of the name."""
        return self.name.partition(".")[2]

    def parameters(self) -> tuple[Parameter, ...]:
        """Return what it takes."""
        return parameters_of(self.params)


def operation(
    name: str,
    *,
    effect: Effect,
    permissions: tuple[str, ...],
    verify: Verification | None = None,
    locked: bool | None = None,
    audited: bool | None = None,
    destroys: Callable[[Any, Any], str] | None = None,
) -> Callable[[Function], Operation]:
    """Declare a function `(run, params) -> result` an operation.

    verify: `(run, params, result) -> result`, what is observed afterwards; it waits, and raises Failed for a bad
    verdict. It does not run in a dry run.
    locked, audited: by default everything but a READ is both. A READ of what is confidential is audited too.
    The result is a frozen dataclass: `--json` writes its fields.
    """

    def declare(function: Function) -> Operation:
        doc = inspect.getdoc(function) or ""
        if not doc:
            raise TypeError(f"operation {name} has no docstring")
        if (effect is Effect.DESTROY) != (destroys is not None):
            raise TypeError(f"operation {name}: `destroys` belongs to DESTROY, and is needed there")
        changes = effect is not Effect.READ
        summary, _, rest = doc.partition("\n")
        return Operation(
            name=name,
            effect=effect,
            permissions=permissions,
            function=function,
            verify=verify,
            params=_params_of(function),
            summary=summary,
            description=rest.strip(),
            locked=changes if locked is None else locked,
            audited=changes if audited is None else audited,
            destroys=destroys,
        )

    return declare


def _params_of(function: Function) -> type:
    names = list(inspect.signature(function).parameters)
    kind: type = get_type_hints(function)[names[1]]
    return kind
