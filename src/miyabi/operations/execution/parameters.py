"""What an operation takes: fields of a frozen dataclass, each described, typed and bounded.

From them come the command's options, the JSON of a request, and the messages about what is wrong with a value.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from datetime import timedelta
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from miyabi.environment.config import suggestion
from miyabi.model.errors import InvalidInput

_KEY = "miyabi"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+[smhdw])+")


@dataclass(frozen=True, slots=True)
class _Described:
    help: str
    unit: str | None = None
    argument: bool = False
    minimum: float | None = None
    maximum: float | None = None
    short: str | None = None


def param(
    help: str,  # noqa: A002 - what click calls it too
    *,
    default: Any = MISSING,
    unit: str | None = None,
    argument: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    short: str | None = None,
) -> Any:
    """Describe a field of a parameter object.

    help: one sentence without the unit. argument: it stands without a name on the command line.
    minimum, maximum: inclusive, of a number; of a duration in seconds. short: one letter for `-x`.
    The type is the field's: str, int, float, bool, timedelta, Literal of strings, each or None, or a tuple of str.
    """
    described = _Described(help, unit, argument, minimum, maximum, short)
    return dataclasses.field(default=default, metadata={_KEY: described})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    kind: type
    """str, int, float, bool or timedelta."""
    help: str
    unit: str | None
    required: bool
    default: object
    argument: bool
    multiple: bool
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    short: str | None

    @property
    def option(self) -> str:
        """How a person names it: `--for` for the field `for_`."""
        name = self.name.strip("_").replace("_", "-")
        return name.upper() if self.argument else f"--{name}"

    @property
    def key(self) -> str:
        """Its key in JSON."""
        return self.name.strip("_")

    def convert(self, value: object) -> object:
        """Return the value in the field's type; text is read as a person writes it. Raises InvalidInput."""
        if value is None:
            if self.required:
                raise InvalidInput(f"{self.option} is missing")
            return None
        if self.multiple:
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise InvalidInput(f"{self.option} must be a list, not {value!r}")
            return tuple(self._one(one) for one in value)
        return self._one(value)

    def _one(self, value: object) -> object:
        found = _READERS[self.kind](self, value)
        if self.choices and found not in self.choices:
            near = suggestion(str(found), list(self.choices))
            raise InvalidInput(
                f"{self.option}: {found!r} is none of {', '.join(self.choices)}", hint=near or "Choose one of them."
            )
        size = found.total_seconds() if isinstance(found, timedelta) else found
        if isinstance(size, int | float) and not isinstance(size, bool):
            self._check_bounds(size)
        return found

    def _check_bounds(self, size: float) -> None:
        unit = "s" if self.kind is timedelta else self.unit or ""
        if self.minimum is not None and size < self.minimum:
            raise InvalidInput(f"{self.option}: {size:g} is less than {self.minimum:g} {unit}".rstrip())
        if self.maximum is not None and size > self.maximum:
            raise InvalidInput(f"{self.option}: {size:g} is more than {self.maximum:g} {unit}".rstrip())


def parameters_of(kind: type) -> tuple[Parameter, ...]:
    """Return the parameters that a dataclass declares, in its order."""
    hints = get_type_hints(kind)
    return tuple(_parameter(field, hints[field.name]) for field in dataclasses.fields(kind))


def read_params(kind: type, values: Mapping[str, object]) -> Any:
    """Return the parameter object for values by their JSON keys; text is read as on a command line.

    Raises InvalidInput naming what is missing, unknown, of the wrong type or out of bounds.
    """
    known = {one.key: one for one in parameters_of(kind)}
    for key in values:
        if key not in known:
            near = suggestion(key, list(known))
            raise InvalidInput(f"unknown parameter '{key}'", hint=near or f"It takes: {', '.join(known) or 'none'}.")
    given = {}
    for key, parameter in known.items():
        if key in values and (values[key] is not None or parameter.required):
            given[parameter.name] = parameter.convert(values[key])
        elif parameter.required:
            raise InvalidInput(f"{parameter.option} is missing", hint=parameter.help)
    return kind(**given)


def shown_params(params: object) -> dict[str, object]:
    """Return the parameters as the audit and JSON show them: durations in seconds, under `<name>_seconds`."""
    shown: dict[str, object] = {}
    for field in dataclasses.fields(params):  # type: ignore[arg-type]
        value = getattr(params, field.name)
        name = field.name.strip("_")
        if isinstance(value, timedelta):
            shown[f"{name}_seconds"] = value.total_seconds()
        elif value is not None:
            shown[name] = list(value) if isinstance(value, tuple) else value
    return shown


def read_duration(text: str) -> timedelta:
    """Read 90s, 15m, 2h, 1d or 1h30m. Raises InvalidInput."""
    if not _DURATION.fullmatch(text.strip()):
        raise InvalidInput(f"'{text}' is not a duration", hint="For instance 90s, 15m, 2h, 1d or 1h30m.")
    parts = re.findall(r"(\d+)([smhdw])", text)
    try:
        return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError as error:
        raise InvalidInput(f"'{text}' is too long a duration") from error


def _parameter(field: dataclasses.Field[Any], hint: Any) -> Parameter:
    described: _Described = field.metadata[_KEY]
    inner, multiple = hint, False
    if get_origin(inner) in {Union, types.UnionType}:
        (inner,) = (one for one in get_args(inner) if one is not type(None))
    if get_origin(inner) is tuple:
        inner, multiple = get_args(inner)[0], True
    choices: tuple[str, ...] = ()
    if get_origin(inner) is Literal:
        inner, choices = str, get_args(inner)
    if inner not in _READERS:
        raise TypeError(f"a parameter cannot be a {inner}")
    required = field.default is MISSING and field.default_factory is MISSING
    return Parameter(
        name=field.name,
        kind=inner,
        help=described.help,
        unit=described.unit,
        required=required,
        default=None if required else field.default,
        argument=described.argument,
        multiple=multiple,
        choices=choices,
        minimum=described.minimum,
        maximum=described.maximum,
        short=described.short,
    )


def _text(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{parameter.option} must be text, not {value!r}")
    if not value:
        raise InvalidInput(f"{parameter.option} is empty", hint=parameter.help)
    return value


def _number(kind: type, what: str) -> Callable[[Parameter, object], float]:
    def read(parameter: Parameter, value: object) -> float:
        wrong = InvalidInput(f"{parameter.option} must be {what}, not {value!r}")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise wrong
        if kind is int and isinstance(value, float):
            raise wrong
        try:
            found: float = kind(value)
        except ValueError as error:
            raise wrong from error
        return found

    return read


def _flag(parameter: Parameter, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{parameter.option} must be true or false, not {value!r}")
    return value


def _duration(parameter: Parameter, value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        try:
            return read_duration(value)
        except InvalidInput as error:
            raise InvalidInput(f"{parameter.option}: {error.message}", hint=error.hint) from error
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return timedelta(seconds=value)
    raise InvalidInput(f"{parameter.option} must be a duration such as 15m, not {value!r}")


_READERS: dict[type, Callable[[Parameter, object], object]] = {
    str: _text,
    int: _number(int, "a whole number"),
    float: _number(float, "a number"),
    bool: _flag,
    timedelta: _duration,
}
