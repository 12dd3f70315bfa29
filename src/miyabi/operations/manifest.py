"""Read `image.toml`. Every refusal names the file and the key."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import fields
from pathlib import Path

import msgspec

from miyabi.environment.wording import in_words
from miyabi.model.errors import InvalidInput, NotFound
from miyabi.model.image import ImageManifest, PythonDistributions


def read_manifest(path: Path) -> ImageManifest:
    """Return the manifest in a file; `NotFound` without the file, `InvalidInput` where it cannot be used."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"image manifest {path} does not exist", hint="`miyabi init` writes one") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", hint="name a file in miyabi.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}", hint="the image manifest is a TOML file") from error
    _refuse_unknown(path, "", found, ImageManifest)
    python = found.get("python")
    if isinstance(python, dict):
        _refuse_unknown(path, "python.", python, PythonDistributions)
    try:
        return msgspec.convert(found, ImageManifest, strict=True)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", hint=error.hint) from error
    except msgspec.ValidationError as error:
        complaint = in_words(error)
        raise InvalidInput(
            f"{path}: '{complaint.key}' {complaint.reason}",
            hint="`miyabi init` in an empty directory writes an image.toml that explains every key.",
        ) from error


def _refuse_unknown(path: Path, prefix: str, table: dict[str, object], known: type) -> None:
    names = [field.name for field in fields(known)]
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean '{prefix}{near[0]}'?" if near else f"known keys: {', '.join(names)}"
            raise InvalidInput(f"{path}: unknown key '{prefix}{key}'", hint=hint)
