"""`load run`: requests at a rate of one's choosing, and what they showed. Locust sends them."""

from __future__ import annotations

import importlib.util
import ipaddress
import secrets
import tomllib
import urllib.parse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from miyabi.cli.commands import shared_options
from miyabi.cli.load_generator import Generated, LoadPlan, generate
from miyabi.cli.output import Output
from miyabi.cli.provision import confirm_by_name
from miyabi.cli.session import Session
from miyabi.model.errors import Failed, Interrupted, InvalidInput, NotFound, Unavailable
from miyabi.operations.execution.parameters import read_duration
from miyabi.policy.load_mix import BadMix, MixedRequest, choose, read_mix
from miyabi.policy.load_report import LoadReport, Sent, report
from miyabi.policy.load_shape import Shape, expected, send_times

_MOST_REQUESTS = 2_000_000


def _seconds(_ctx: click.Context, _parameter: click.Parameter, value: str) -> float:
    seconds = read_duration(value).total_seconds()
    if seconds <= 0:
        raise InvalidInput("--duration: 0 s are no load", hint="For instance 90s, 5m or 1h.")
    return seconds


@dataclass(frozen=True, slots=True)
class _Load:
    url: str
    shape: Shape
    rate: float
    seconds: float
    seed: int
    timeout: float
    mix: tuple[MixedRequest, ...]


@click.group()
def load() -> None:
    """Put load on the service, and see what it does."""


@load.command()
@shared_options
@click.argument("url", required=False)
@click.option("--shape", type=click.Choice([one.value for one in Shape]), default="steady", show_default=True)
@click.option("--rate", type=click.FloatRange(0, 20_000, min_open=True), default=100.0, show_default=True,
              help="Requests a second; of a shape the highest.")  # fmt: skip
@click.option("--duration", "seconds", callback=_seconds, default="1m", show_default=True, help="90s, 5m, 1h.")
@click.option("--mix", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A TOML file of requests.")
@click.option("--timeout", type=click.FloatRange(0.1, 300), default=15.0, show_default=True, help="Seconds a request.")
@click.option("--even", is_flag=True, help="As evenly as the shape allows, not at random.")
@click.option("--seed", type=int, help="Repeats a random load.")
@click.option("--yes", metavar="HOST", help="Confirm load on a host that is not this machine.")
@click.pass_obj
def run(
    session: Session,
    *,
    url: str | None,
    shape: str,
    rate: float,
    seconds: float,
    mix: Path | None,
    timeout: float,
    even: bool,
    seed: int | None,
    yes: str | None,
) -> None:
    """Send requests at a rate, whatever the answers do, and report latencies from the instants they were due.

    Without URL they go to the environment's load balancer. The exit code is 1 where a target of the runbook was missed
    or the generator could not keep up.
    """
    if importlib.util.find_spec("locust") is None:
        raise NotFound("Locust is not installed, and it sends the requests", hint="pip install 'miyabi[load]'")
    wanted = _Load(
        url=_checked(url or _of_environment(session)),
        shape=Shape(shape),
        rate=rate,
        seconds=seconds,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        timeout=timeout,
        mix=_mix(session, mix),
    )
    if expected(wanted.shape, rate, seconds) > _MOST_REQUESTS:
        raise InvalidInput(f"that would be more than {_MOST_REQUESTS:,} requests", hint="Lower --rate or --duration.")
    host = urllib.parse.urlsplit(wanted.url).hostname or ""
    if not _is_here(host):
        what = f"This puts load on {host}, which may cost money and hurt its users"
        confirm_by_name(host, yes, what, option="--yes", called="the host's name")
    _carry_out(session.output, wanted, poisson=not even)


def _of_environment(session: Session) -> str:
    from miyabi.operations.balancer import find_balancer  # noqa: PLC0415 - not where a URL is given
    from miyabi.operations.execution.run import Run  # noqa: PLC0415

    access = session.access()
    try:
        found = find_balancer(Run(session.cloud(access.target), access.environment))
    except Unavailable as error:
        raise Unavailable(error.message, hint=access.target.start_hint) from error
    return f"http://{found.dns_name}"


def _checked(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.path not in {"", "/"}:
        raise InvalidInput(
            f"{url} is no address such as http://service.example",
            hint='Paths are in the mix: --mix FILE, a table [[request]] with path = "/" for each.',
        )
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _mix(session: Session, path: Path | None) -> tuple[MixedRequest, ...]:
    if path is None:
        return (MixedRequest(session.environment().health_path),)
    try:
        return read_mix(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, BadMix) as error:
        raise InvalidInput(f"{path}: {error}", hint='[[request]]\npath = "/"\nweight = 3') from error


def _carry_out(output: Output, wanted: _Load, *, poisson: bool) -> None:
    times = list(send_times(wanted.shape, wanted.rate, wanted.seconds, seed=wanted.seed, poisson=poisson))
    if not times:
        raise InvalidInput("no request would be due in that time", hint="Raise --rate or --duration.")
    places = choose(wanted.mix, seed=wanted.seed, count=len(times))
    course = f"{wanted.shape}, up to {wanted.rate:g} a second"
    output.line(f"{len(times)} requests to {wanted.url} in {wanted.seconds:.0f} s: {course}")
    output.note(f"seed {wanted.seed}")

    def look(new: Sequence[Sent], count: int, seconds: float) -> None:
        if not new:
            output.note(f"         {count} of {len(times)} ended  nothing in {seconds:.0f} s")
            return
        found = report(new, planned=len(new), seconds=seconds)
        p99 = f"P99 {_milliseconds(found.latency[99.0])}" if found.latency else "no answer"
        rate = f"{len(new) / seconds:.0f} a second"
        output.note(f"{new[-1].due:6.0f} s  {count} of {len(times)} ended  {rate}  {found.wrong} wrong  {p99}")

    requests = list(zip(times, places, strict=True))
    generated = generate(LoadPlan(wanted.url, wanted.mix, requests, wanted.seconds, wanted.timeout), look)
    _judge(output, wanted, generated, times)


def _judge(output: Output, wanted: _Load, generated: Generated, times: Sequence[float]) -> None:
    interrupted = generated.interrupted
    seconds = max((one.due for one in generated.ended), default=0.0) if interrupted else wanted.seconds
    planned = sum(at <= seconds for at in times) if interrupted and seconds else len(times)
    found = report(generated.ended, planned=planned, seconds=seconds, interrupted=interrupted)
    if generated.ended:
        _show(output, found)
    output.result({**asdict(found), "url": wanted.url, "seed": wanted.seed, "interrupted": interrupted})
    if interrupted:
        raise Interrupted("interrupted; nothing more is sent", hint="What had ended by then is told above.")
    if generated.exit_code:
        raise Failed(f"Locust ended with exit code {generated.exit_code}", hint=generated.said or None)
    if not found.kept_up:
        raise Failed(
            f"the generator sent {_milliseconds(found.late[99.0])} late at its 99th percentile: these figures are its "
            "own, not the service's",
            hint="Lower --rate, or run it on a machine with more to spare.",
        )
    if found.verdicts:
        raise Failed(found.verdicts[0], hint="\n".join(found.verdicts[1:]) or None)


def _show(output: Output, found: LoadReport) -> None:
    output.line(
        f"{found.requests} requests, {found.rate:.1f} right answers a second of {found.wanted_rate:.1f} wanted; "
        f"{found.wrong} wrong, {found.unfinished} without an end"
    )
    output.line("  " + "  ".join(f"{status}: {count}" for status, count in found.statuses.items()))
    for error, count in found.errors.items():
        output.line(f"  {error}: {count}")
    header = ("", *(f"P{percent:g}" if percent < 100 else "MAX" for percent in found.latency))
    rows = [
        ("since it was due", *(_milliseconds(value) for value in found.latency.values())),
        ("since it was sent", *(_milliseconds(value) for value in found.service_time.values())),
        ("sent late by", *(_milliseconds(value) for value in found.late.values())),
    ]
    output.table(header, rows)
    for line in found.verdicts:
        output.line(f"{output.colour('missed', 'red')}  {line}")
    if not found.verdicts:
        met = f"the runbook's latency targets are met at {found.rate:.0f} requests a second"
        output.line(output.colour(met, "green"))


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.1f} s"
