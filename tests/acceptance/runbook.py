"""The commands of docs/runbook.md, taken out of its page in their order, with the lines that they stand on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.acceptance.cloud import ROOT

PAGE = ROOT / "docs" / "runbook.md"
_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CONTEXT = re.compile(r"^(cd|export) |^[A-Z_]+=")


@dataclass(frozen=True)
class Command:
    """One command as it is written."""

    section: str
    """The heading that it stands under."""
    number: int
    """Of its block on the page."""
    text: str
    context: tuple[str, ...]
    """What its block does before: directories and variables. Not its other commands."""

    @property
    def key(self) -> str:
        """The command on one line: what the tests know it by."""
        return re.sub(r"\s*\\\n\s*", " ", self.text)

    @property
    def is_context(self) -> bool:
        """Whether it sets something that the next ones need."""
        return bool(_CONTEXT.match(self.text))


def commands() -> list[Command]:
    """Return every command of the page."""
    page = PAGE.read_text(encoding="utf-8")
    found: list[Command] = []
    for number, block in enumerate(_BLOCK.finditer(page)):
        section = re.findall(r"^#+ (.*)$", page[: block.start()], re.MULTILINE)[-1]
        context: list[str] = []
        for text in _statements(block[1]):
            command = Command(section, number, text, tuple(context))
            found.append(command)
            if command.is_context:
                context.append(text)
    return found


def _statements(block: str) -> list[str]:
    """Split a block at the line ends that end a command: not after a backslash, not within quotes."""
    found, lines = [], []
    for line in block.splitlines():
        lines.append(line)
        text = "\n".join(lines)
        if line.endswith("\\") or text.count("'") % 2:
            continue
        if text.strip():
            found.append(text)
        lines = []
    assert not lines, f"a command that does not end: {lines}"
    return found
