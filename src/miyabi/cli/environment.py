"""`up`, `down`, `destroy`: the only commands that start and stop the local cloud."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.output import Output
from miyabi.cli.provision import (
    Provisioned,
    check_cloud,
    check_files,
    check_identity,
    confirm_by_name,
    provision,
    resume_hint,
    start_build,
)
from miyabi.cli.resources import ResourceLines
from miyabi.cli.session import Session
from miyabi.environment.access import Access
from miyabi.environment.checks import require_local
from miyabi.environment.cloud import LOCAL
from miyabi.environment.home import Home
from miyabi.environment.lease import home_of, release
from miyabi.environment.terraform.runs import Terraform, forget
from miyabi.environment.terraform.state import read_state
from miyabi.model.errors import Conflict, Interrupted, InvalidInput, MiyabiError
from miyabi.policy.tempo import FASTEST


@click.command()
@shared_options
@click.option("--apply", "force_apply", is_flag=True, help="Run terraform apply even where nothing has changed.")
@click.option("--yes", metavar="NAME", help="Confirm with the environment's name instead of being asked.")
@click.option(
    "--clock-speed",
    type=click.IntRange(1, FASTEST),
    help="Rehearse alarms, scaling and health checks so many times faster; kept until another is given. At first 1.",
)
@click.pass_obj
def up(session: Session, *, force_apply: bool, yes: str | None, clock_speed: int | None) -> None:
    """Bring the environment up: local cloud, infrastructure, image, service.

    What is there already is kept: a stopped local cloud comes back with the same addresses, without an apply.
    """
    begun = time.monotonic()
    session.head(session.environment())
    if session.cloud_name() == LOCAL:
        require_local()
    elif clock_speed is not None:
        raise InvalidInput("AWS's clock cannot be sped up", hint="Leave out --clock-speed; the local cloud has one.")
    check_files(session.environment(), session.environ)
    with _interruptible("miyabi up"), _reserved(session), ExitStack() as claims:
        access = session.access(claims)
        if access.home is None:
            check_identity(access.target, session.cloud(access.target))  # before anything is written
        terraform = access.terraform()
        build = start_build(access)
        _start(access, session.output, clock_speed)
        name = access.environment.name
        done = provision(
            access,
            terraform,
            session.cloud(access.target),
            session.output,
            build=build,
            force_apply=force_apply,
            confirm=lambda what: confirm_by_name(name, yes, what, option="--yes"),
        )
    _show_up(session.output, access, done, time.monotonic() - begun)


@click.command()
@shared_options
@click.pass_obj
def down(session: Session) -> None:
    """Stop the local cloud's processes. Everything is kept; `miyabi up` resumes."""
    if _is_absent(session):
        session.output.line("  nothing to stop: there is no local cloud yet")
        session.output.result({"stopped": False})
        return
    access = session.access()
    if access.home is None:
        session.output.line("nothing runs on this machine for this cloud; `miyabi destroy` removes the environment")
        session.output.result({"stopped": False})
        return
    from miyabi.localcloud import lifecycle  # noqa: PLC0415 - not every system can load it

    begun = time.monotonic()
    with lifecycle.exclusive(access.home):
        stopped = lifecycle.stop(access.home)
    detail = "stopped; everything is kept" if stopped else "was not running"
    session.output.phase("local cloud", time.monotonic() - begun, detail)
    session.output.commands({"miyabi up": "starts it again, as it was"})
    session.output.result({"stopped": stopped})


@click.command()
@shared_options
@click.option("--yes", metavar="NAME", help="Confirm with the environment's name instead of being asked.")
@click.option("--force", is_flag=True, help="Remove a local cloud without terraform, whatever state it is in.")
@click.pass_obj
def destroy(session: Session, *, yes: str | None, force: bool) -> None:
    """Destroy the environment: every resource and all data. For the local cloud, its home too."""
    environment = session.environment()
    session.head(environment)
    if _is_absent(session):
        session.output.line("  nothing to destroy: there is no local cloud")
        session.output.result({"destroyed": 0})
        return
    if session.cloud_name() == LOCAL and not force:
        require_local()
    with _reserved(session):
        if force:
            _remove_by_force(session, yes)
            return
        with _naming_force(session):
            access = session.access()
        what = f"This destroys environment '{environment.name}' in cloud {access.target.name} with all its data"
        confirm_by_name(environment.name, yes, what, option="--yes")
        if access.home is None:
            check_identity(access.target, session.cloud(access.target))  # before anything is written
        with _naming_force(session):
            terraform = access.terraform()
        with _interruptible(f"miyabi destroy --yes {environment.name}"):
            with _naming_force(session):
                was_running = _start(access, session.output)
            destroyed = _terraform_destroy(session, access, terraform)
        forget(terraform)
        if access.home is not None:
            _remove(session.output, access.home, session, keep_running=was_running)
    session.output.result({"destroyed": destroyed})


@contextmanager
def _reserved(session: Session) -> Iterator[None]:
    """Keep other commands from starting or stopping the same local cloud meanwhile."""
    home = _home(session)
    if home is None:
        yield
        return
    from miyabi.localcloud import lifecycle  # noqa: PLC0415 - not every system can load it

    known = home.root.is_dir()
    with lifecycle.exclusive(home):
        try:
            yield
        except (MiyabiError, KeyboardInterrupt):
            if not known and not home.instance_file.exists():
                _remove_files(home)  # nothing was made: leave no trace
            raise


def _is_absent(session: Session) -> bool:
    """Say whether the command is about a local cloud, and nothing of one is there."""
    home = _home(session)
    return home is not None and not home.state.exists() and home.read_instance() is None


def _home(session: Session) -> Home | None:
    environment = session.environment()
    return home_of(environment.file, session.environ) if session.cloud_name() == LOCAL else None


@contextmanager
def _interruptible(command: str) -> Iterator[None]:
    """Say after an interrupt what is left and how to go on."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; what was done so far is kept", hint=resume_hint(command)) from error


def _start(access: Access, output: Output, clock_speed: int | None = None) -> bool:
    """Start the local cloud where there is one, and return whether it ran already."""
    if access.home is None:
        return False
    from miyabi.localcloud import lifecycle  # noqa: PLC0415 - not every system can load it

    begun = time.monotonic()
    ran = lifecycle.inspect(access.home) is not None
    if clock_speed is not None:
        lifecycle.set_clock_speed(access.home, clock_speed)
    lifecycle.start(access.home)
    speed = access.conditions().clock_speed
    detail = f"{access.target.endpoint}{' (was running)' if ran else ''}"
    detail += f", clock speed {speed}" if speed != 1 else ""
    output.phase("local cloud", time.monotonic() - begun, detail)
    return ran


def _terraform_destroy(session: Session, access: Access, terraform: Terraform) -> int:
    output = session.output
    if terraform.needs_init():
        terraform.init()
    check_cloud(access, terraform, session.cloud(access.target))
    hint = resume_hint(f"miyabi destroy --yes {access.environment.name}")
    begun = time.monotonic()
    with _naming_force(session):
        run = terraform.destroy(ResourceLines(output).show, resume=hint)
    count = run.summary.destroyed if run.summary else 0
    output.phase("terraform", time.monotonic() - begun, f"{count} destroyed")
    return count


@contextmanager
def _naming_force(session: Session) -> Iterator[None]:
    """Say with an error that a local cloud can be removed whatever state it is in."""
    try:
        yield
    except MiyabiError as error:
        if session.cloud_name() == LOCAL and "--force" not in (error.hint or ""):
            name = session.environment().name
            extra = f"`miyabi destroy --force --yes {name}` removes the local cloud without terraform."
            error.hint = f"{error.hint}\n{extra}" if error.hint else extra
        raise


def _remove_by_force(session: Session, yes: str | None) -> None:
    environment = session.environment()
    home = _home(session)
    if home is None:
        raise Conflict(
            "--force is for the local cloud only", hint="Leave it out: terraform must destroy what is on AWS."
        )
    from miyabi.localcloud import lifecycle  # noqa: PLC0415 - not every system can load it

    what = f"This removes the local cloud in {home.root} with all its data"
    confirm_by_name(environment.name, yes, what, option="--yes")
    begun = time.monotonic()
    lifecycle.stop(home)
    try:
        instance = home.read_instance()
    except Conflict:
        instance = None  # damaged or newer: the registry notices that it is gone
    _remove_files(home)
    if instance is not None:
        release(instance, session.environ)
    session.output.phase("local cloud", time.monotonic() - begun, f"{home.root} removed")
    session.output.result({"destroyed": None, "removed": str(home.root)})


def _remove(output: Output, home: Home, session: Session, *, keep_running: bool) -> None:
    from miyabi.localcloud import lifecycle  # noqa: PLC0415 - not every system can load it

    others = sorted(
        path.parts[-4]
        for path in home.terraform.glob("*/state/*/terraform.tfstate")
        if (state := read_state(path)) and state.resources
    )
    begun = time.monotonic()
    if others:
        if not keep_running:
            lifecycle.stop(home)
        output.phase("local cloud", time.monotonic() - begun, f"kept for environment {', '.join(others)}")
        return
    instance = home.read_instance()
    lifecycle.stop(home)
    _remove_files(home)
    if instance is not None:
        release(instance, session.environ)
    output.phase("local cloud", time.monotonic() - begun, f"{home.root} removed")


def _remove_files(home: Home) -> None:
    """Remove what Miyabi made in a home, and the directory itself where nothing else is in it."""
    for path in (home.images, home.tasks):  # images are read-only
        for directory in [path, *path.rglob("*")]:
            if directory.is_dir() and not directory.is_symlink():
                directory.chmod(0o700)
    for path in home.directories():
        shutil.rmtree(path, ignore_errors=True)
    for path in (home.instance_file, home.root / "up.lock"):
        path.unlink(missing_ok=True)
    if not any(home.root.iterdir()):
        home.root.rmdir()


def _show_up(output: Output, access: Access, done: Provisioned, seconds: float) -> None:
    environment = access.environment
    balancer = done.status.load_balancer
    dns = done.outputs.get("alb_dns_name") or (balancer.dns_name if balancer else None)
    url = f"http://{dns}{environment.health_path}" if dns else None
    output.phase("up", seconds)
    output.line()
    if url:
        output.line(f"  {output.colour(url, 'bold')}")
        output.line()
        output.line(f"  curl -i {url}")
    output.commands(
        {
            'eval "$(miyabi env)"': "point aws and terraform here",
            f"aws logs filter-log-events --log-group-name {environment.log_group}": "",
            "miyabi status": "how the service stands",
            "miyabi down": "stop; `miyabi up` resumes",
        }
    )
    summary = done.applied.summary if done.applied else None
    output.result(
        {
            "url": url,
            "endpoint": access.target.endpoint,
            "seconds": round(seconds, 1),
            "applied": {"added": summary.added, "changed": summary.changed, "destroyed": summary.destroyed}
            if summary
            else None,
            "image": done.image,
            "service": done.status.service,
            "outputs": done.outputs,
        }
    )
