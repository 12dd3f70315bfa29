"""What import-linter cannot see: nobody but its own packages knows which cloud answers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "miyabi"
KNOWING = ("localcloud", "environment", "cli/environment.py")
TELLS = re.compile(r"\b(127\.\d+\.|4566|local cloud|localcloud|is_local|if local)\b|\b127\.0\.0\.1\b", re.IGNORECASE)


def others() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if not str(path.relative_to(SOURCE)).startswith(KNOWING)]


@pytest.mark.parametrize("path", others(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_other_package_names_the_local_cloud(path: Path) -> None:
    tree = ast.parse(path.read_text())
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if has_docstring(node)}
    found = [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and TELLS.search(node.value)
    ]
    found += [
        f"line {node.lineno}: branches on the cloud"
        for node in ast.walk(tree)
        if isinstance(node, ast.If | ast.IfExp)
        and re.search(r"\bis_local\b|\.cloud ==|== LOCAL\b", ast.unparse(node.test))
    ]
    assert found == []


def has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
