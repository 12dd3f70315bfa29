"""Terraform in one environment and cloud: init, plan, apply, destroy, outputs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from miyabi.environment.home import write_private
from miyabi.environment.terraform.configuration import Configuration
from miyabi.environment.terraform.events import (
    Diagnostic,
    Event,
    Stopping,
    Summary,
    Text,
    diagnostics_of_text,
    parse_event,
)
from miyabi.environment.terraform.failures import failure_of
from miyabi.environment.terraform.process import Ended, follow
from miyabi.environment.terraform.program import Program
from miyabi.environment.terraform.state import Applied, State, read_applied, read_state
from miyabi.model.errors import Interrupted, Unavailable

OnEvent = Callable[[Event], None]

_LOCK_TIMEOUT = "-lock-timeout=300s"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a Terraform of one environment and cloud keeps its files."""

    files: Path
    """Private to Miyabi: logs and records."""
    data: Path
    """TF_DATA_DIR."""
    state: Path | None
    """The state, where it is a file that Miyabi knows of."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a run went."""

    summary: Summary | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Terraform:
    """A Terraform with its configuration, cloud and files."""

    program: Program
    configuration: Configuration
    env: Mapping[str, str]
    places: Places

    @property
    def log(self) -> Path:
        """What the last run wrote."""
        return self.places.files / "terraform.log"

    def needs_init(self) -> bool:
        """Say whether the directory must be initialised: never done, or what init reads has changed."""
        try:
            done = self._init_record.read_text()
        except FileNotFoundError:
            return True
        return not self.places.data.is_dir() or done != self._init_digest()

    def init(self) -> None:
        """Install the modules and providers, and choose where the state is."""
        self.places.files.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines: list[str] = []
        arguments = ("init", "-input=false", "-no-color", "-reconfigure")
        ended = self._follow(arguments, lines.append, lambda _seconds: None)
        text = "\n".join(lines)
        if ended.interrupted:
            raise Interrupted("interrupted while Terraform initialised; nothing was changed", hint="Run it again.")
        if ended.exit_code != 0:
            errors = list(diagnostics_of_text(text))
            raise failure_of(errors, operation="init", resume="Run it again.", text=text, exit_code=ended.exit_code)
        write_private(self._init_record, self._init_digest().encode())

    def plan(self, file: Path, on_event: OnEvent) -> Run:
        """Write a plan to a file."""
        return self._run("plan", (f"-out={file}",), on_event, resume="Run the command again.")

    def apply(self, on_event: OnEvent, *, plan: Path | None = None, resume: str) -> Run:
        """Bring the infrastructure to what the configuration says, or to a plan made before."""
        self._spoil()
        arguments = (str(plan),) if plan else ("-auto-approve",)
        return self._run("apply", arguments, on_event, resume=resume)

    def destroy(self, on_event: OnEvent, *, resume: str) -> Run:
        """Remove everything that the state knows."""
        self._spoil()
        return self._run("destroy", ("-auto-approve",), on_event, resume=resume)

    def adopt(self, address: str, id_: str) -> None:
        """Take a resource that exists into the state: `terraform import`."""
        lines: list[str] = []
        arguments = ("import", "-input=false", "-no-color", _LOCK_TIMEOUT, address, id_)
        ended = self._follow(arguments, lines.append, lambda _seconds: None)
        resume = f"Run the command again, or import it yourself: miyabi terraform import '{address}' '{id_}'"
        if ended.interrupted:
            raise self._interrupted("import", ended, resume)
        if ended.exit_code != 0:
            text = "\n".join(lines)
            errors = list(diagnostics_of_text(text))
            raise failure_of(errors, operation="import", resume=resume, text=text, exit_code=ended.exit_code)

    def state(self) -> State | None:
        """Return the state where it is a file here."""
        return read_state(self.places.state) if self.places.state else None

    def outputs(self) -> dict[str, Any]:
        """Return the outputs' values; empty before the first apply."""
        if self.places.state:
            state = self.state()
            return state.values() if state else {}
        answer = subprocess.run(
            [*self.program.argv, "output", "-json", "-no-color"],
            cwd=self.configuration.directory,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            errors = list(diagnostics_of_text(answer.stderr))
            raise failure_of(errors, operation="output", resume="Run it again.", text=answer.stderr)
        return {name: output.get("value") for name, output in json.loads(answer.stdout or "{}").items()}

    def fingerprint(self) -> str:
        """Return a digest of everything that decides what an apply does: files, variables, workspace."""
        given = {name: value for name, value in self.env.items() if name.startswith("TF_VAR_")}
        given["workspace"] = self.env.get("TF_WORKSPACE", "")
        return self.configuration.digest(json.dumps(given, sort_keys=True).encode())

    def read_applied(self) -> Applied | None:
        """Return what the last successful apply was made of."""
        return read_applied(self._applied_record)

    def write_applied(self, *, tag: str, digest: str | None) -> None:
        """Record the apply that has just succeeded."""
        state = self.state()
        record = Applied(self.fingerprint(), state.lineage if state else "", tag, digest)
        write_private(
            self._applied_record,
            json.dumps({f: getattr(record, f) for f in record.__struct_fields__}).encode(),
        )

    def _spoil(self) -> None:
        """Before a change: what was applied before is no longer what there is. The tag stays known."""
        record = self.read_applied()
        if record is not None:
            write_private(self._applied_record, msgspec.json.encode(msgspec.structs.replace(record, fingerprint="")))

    def is_applied(self) -> bool:
        """Say whether an apply has nothing to do: the inputs of the last one, and a state that came of it."""
        record, state = self.read_applied(), self.state()
        return (
            record is not None
            and state is not None
            and bool(state.resources)
            and record.lineage == state.lineage
            and record.fingerprint == self.fingerprint()
        )

    @property
    def _applied_record(self) -> Path:
        return self.places.files / "applied.json"

    @property
    def _init_record(self) -> Path:
        return self.places.files / "init.digest"

    def _init_digest(self) -> str:
        rc = self.env.get("TF_CLI_CONFIG_FILE")
        settings = Path(rc).read_bytes() if rc and Path(rc).is_file() else b""
        words = "\0".join((*self.program.argv, self.env.get("TF_CLI_ARGS_init", ""), str(self.places.data)))
        return self.configuration.digest(settings, words.encode())

    def _run(self, operation: str, arguments: tuple[str, ...], on_event: OnEvent, *, resume: str) -> Run:
        begun = time.monotonic()
        heard = _Heard(on_event)
        words = (operation, "-json", "-input=false", _LOCK_TIMEOUT, *arguments)
        ended = self._follow(words, heard.line, lambda seconds: on_event(Stopping(seconds)))
        if ended.interrupted:
            raise self._interrupted(operation, ended, resume)
        if ended.exit_code != 0:
            error = failure_of(
                heard.errors,
                operation=operation,
                resume=resume,
                text="\n".join(heard.text),
                exit_code=ended.exit_code,
            )
            if isinstance(error, Unavailable):
                self._init_record.unlink(missing_ok=True)  # what init installed may be what is wrong
            raise error
        return Run(heard.summary, time.monotonic() - begun)

    def _interrupted(self, operation: str, ended: Ended, resume: str) -> Interrupted:
        if ended.still_running:
            return Interrupted(
                f"terraform {operation} was asked to stop; it finishes what it began",
                hint=f"It is process {ended.still_running} and writes to {self.log}. {resume}",
            )
        return Interrupted(
            f"interrupted: terraform {operation} stopped; its state holds what was done so far", hint=resume
        )

    def _follow(
        self, arguments: tuple[str, ...], on_line: Callable[[str], None], on_stopping: Callable[[float], None]
    ) -> Ended:
        self.places.files.mkdir(mode=0o700, parents=True, exist_ok=True)
        return follow(
            [*self.program.argv, *arguments],
            cwd=self.configuration.directory,
            env={**self.env, "TF_IN_AUTOMATION": "1"},
            output=self.log,
            on_line=on_line,
            on_stopping=on_stopping,
        )


class _Heard:
    """Collects from the events what the outcome needs."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.errors: list[Diagnostic] = []
        self.text: list[str] = []
        self.summary: Summary | None = None

    def line(self, line: str) -> None:
        event = parse_event(line)
        match event:
            case None:
                return
            case Diagnostic(severity="error"):
                if event not in self.errors:
                    self.errors.append(event)
            case Summary():
                self.summary = event
            case Text():
                self.text.append(event.line)
            case _:
                pass
        self._on_event(event)


def forget(terraform: Terraform) -> None:
    """Remove Miyabi's own records of an environment that was destroyed."""
    shutil.rmtree(terraform.places.files, ignore_errors=True)
