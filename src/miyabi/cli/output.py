"""What a command writes: lines for a person, or one JSON document for a program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import msgspec

from miyabi.model.errors import MiyabiError

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}

# The program's name where a command follows it.
_COMMAND = re.compile(
    r"(?<![\w./@'-])miyabi(?= (--cloud|--help|up|down|destroy|status|env|terraform|image|init|doctor|version"
    r"|service|tasks|metrics|alarms|scaling|load|health|secrets|lock|audit|deploy|rollback|logs)\b)"
)


class Output:
    """Writes results to standard output; notes, warnings and errors to standard error."""

    def __init__(self, out: TextIO, err: TextIO, *, environ: Mapping[str, str], program: str = "miyabi") -> None:
        """Program: how the user called it."""
        self._program = program
        self._out = out
        self._err = err
        self._no_colour = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        self._heading: dict[str, str] = {}
        self._document: dict[str, Any] = {}
        self.json = False
        self.reserved = False
        """Whether standard output is another's: a shell evaluates it, or terraform writes it. Then only `raw` does."""

    @property
    def unicode(self) -> bool:
        """Whether what is written may hold more than ASCII."""
        return (getattr(self._out, "encoding", None) or "").lower().startswith("utf")

    def without_colour(self) -> None:
        """Never colour."""
        self._no_colour = True

    def head(self, fields: Mapping[str, str]) -> None:
        """Say for which cloud, account, region and environment the rest is."""
        if self._heading == fields:
            return
        self._heading = dict(fields)
        self.line(self.colour("   ".join(f"{name} {value}" for name, value in fields.items()), "bold"))

    def line(self, text: str = "") -> None:
        """Write a line for a person."""
        if not self.json and not self.reserved:
            self._out.write(self.as_called(text) + "\n")
            self._out.flush()

    def progress(self, text: str) -> None:
        """Write a line about what is going on; beside JSON it goes to standard error."""
        stream = self._err if self.json or self.reserved else self._out
        stream.write(self.as_called(text) + "\n")
        stream.flush()

    def phase(self, name: str, seconds: float, detail: str = "", *, colour: str = "green") -> None:
        """Say that a phase has ended."""
        self.progress(f"{self.colour(' ok', colour)}  {name:<16} {seconds:6.1f} s  {detail}".rstrip())

    def raw(self, text: str) -> None:
        """Write text to standard output as it is."""
        if text:
            self._out.write(text if text.endswith("\n") else text + "\n")
            self._out.flush()

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        self._err.write(self.as_called(text) + "\n")
        self._err.flush()

    def result(self, values: Mapping[str, Any]) -> None:
        """Have the result written as JSON at the end, headed with the cloud, account, region and environment."""
        self._document |= {**self._heading, **values}

    def json_line(self, value: object) -> None:
        """Write one of several objects as a line of JSON, as it comes."""
        self._out.write(msgspec.json.encode(value).decode() + "\n")
        self._out.flush()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "  ") -> None:
        """Write rows in aligned columns."""
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
        for index, row in enumerate((header, *rows)):
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            self.line(indent + (self.colour(text, "dim") if index == 0 else text))

    def report(self, error: MiyabiError) -> None:
        """Write an error of the tree."""
        self.error(error.message, error.hint, kind=type(error).__name__, retry=error.retry)

    def error(self, message: str, hint: str | None, *, kind: str, retry: bool = False) -> None:
        """Write an error: one line and a hint, and the body that an API would answer."""
        message, hint = self.as_called(message), self.as_called(hint) if hint else None
        self._err.write(f"{self.colour('error:', 'red', stream=self._err)} {message}\n")
        if hint:
            self._err.write(f"{self.colour('hint:', 'yellow', stream=self._err)} {hint}\n")
        self._err.flush()
        self._document["error"] = {"type": kind, "message": message, "hint": hint, "retry": retry}

    def finish(self) -> None:
        """Write the one JSON document: the result, the error, or both where a verdict is bad."""
        if self.json and self._document:
            self._out.write(msgspec.json.format(msgspec.json.encode(self._document)).decode() + "\n")
            self._out.flush()

    def commands(self, lines: Mapping[str, str]) -> None:
        """Write commands, and beside them what each does, where that must be said."""
        shown = {self.as_called(command): what for command, what in lines.items()}
        width = max((len(command) for command, what in shown.items() if what), default=0)
        for command, what in shown.items():
            self.line(f"  {command:<{max(width, 28)}}  {what}".rstrip())

    def as_called(self, text: str) -> str:
        """Return a text with `miyabi` in its commands as the user called it: a copy that can be pasted."""
        return text if self._program == "miyabi" else _COMMAND.sub(lambda _: self._program, text)

    def colour(self, text: str, name: str, *, stream: TextIO | None = None) -> str:
        """Return the text in a colour where the stream is a terminal that has them."""
        if self._no_colour or not (stream or self._out).isatty():
            return text
        return f"\033[{_COLOURS[name]}m{text}\033[0m"
