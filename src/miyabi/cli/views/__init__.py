"""What the result of an operation looks like to a person: a function `<verb>(output, result)` in a module a noun.

A verb that is a name of Python's ends in an underscore: `list_`.

An operation without one is shown by `plain`.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from miyabi.cli.output import Output

View = Callable[[Output, Any], None]


def view_of(name: str) -> View:
    """Return the view of an operation's result."""
    noun, _, verb = name.partition(".")
    module = f"miyabi.cli.views.{noun}"
    if importlib.util.find_spec(module) is None:
        return plain
    loaded = importlib.import_module(module)
    view: View = getattr(loaded, f"{verb}_", getattr(loaded, verb, plain))
    return view


def plain(output: Output, result: Any) -> None:
    """Show a result's fields line by line; a field that holds several objects as a table."""
    if result is None:
        return
    simple = [(f.name, getattr(result, f.name)) for f in dataclasses.fields(result)]
    width = max((len(name) for name, _ in simple), default=0)
    for name, value in simple:
        if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            output.line(name.replace("_", " "))
            objects(output, value)
        else:
            output.line(f"{name.replace('_', ' '):<{width}}  {cell(value)}")


def objects(output: Output, rows: Sequence[Any]) -> None:
    """Show objects of one kind as a table, a column for each field."""
    columns = [field.name for field in dataclasses.fields(rows[0])]
    header = [name.replace("_", " ").upper() for name in columns]
    output.table(header, [[cell(getattr(row, name)) for name in columns] for row in rows])


def cell(value: object) -> str:
    """Return a value as it stands in a line or a table."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S %Z}"
        case tuple() | list():
            return ", ".join(cell(one) for one in value) or "-"
        case dict():
            return ", ".join(f"{key}={cell(one)}" for key, one in value.items()) or "-"
        case _:
            return " ".join(str(value).split())
