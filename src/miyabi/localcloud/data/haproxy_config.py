"""HAProxy's configuration for a set of application load balancers: text from nouns, nothing else.

The configuration's *generation* covers its structure but not its servers: those change at run time, and are written
here too so that a restarted HAProxy serves at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from miyabi.localcloud.data.haproxy_rules import quoted, rule_lines
from miyabi.model.load_balancing import Rule

CONNECT_TIMEOUT = timedelta(seconds=10)
"""An application load balancer's own, which it does not let one choose."""
ERROR_PAGES = "errors"
"""The folder of the error pages, beside the configuration file."""
LOG_FORMAT = "%f %b %s %ST %[var(txn.sent_us)] %[var(txn.answered_us)]"
"""A request's line in the log: frontend, backend, server, status, and in microseconds when it was sent on and when the
target's answer began; `-` where no target was asked, or none answered."""
OWN = "awselb/2.0"
"""What the load balancer calls itself on the answers that it gives by itself."""


class ServerState(StrEnum):
    """A server's administrative state, in the runtime API's words."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


@dataclass(frozen=True, slots=True)
class Backend:
    """A target group. Servers are named by their `address:port`."""

    name: str
    algorithm: str
    """`roundrobin` or `leastconn`: servers come and go at run time with these."""
    idle_timeout: timedelta
    servers: Mapping[str, ServerState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frontend:
    """A listener."""

    address: str
    port: int
    """The port that is bound."""
    listener_port: int
    """The port that clients and targets are told."""
    idle_timeout: timedelta
    rules: tuple[Rule, ...]
    """In order; the last is the default rule."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The load balancer's and the listener's."""

    @property
    def name(self) -> str:
        """`127.1.1.4:80`, as HAProxy's statistics show it."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class LogTo:
    """Where the log goes, and the word that begins each line: any program of this machine may connect there."""

    address: str
    port: int
    token: str
    socket: str = "requests.sock"
    """In HAProxy's working directory: where workers that a reload has replaced send their lines."""


@dataclass(frozen=True, slots=True)
class Config:
    """All frontends and backends of one HAProxy."""

    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    backend_names: Mapping[str, str]
    """Target group ARN → backend."""
    log: LogTo | None = None
    """Who hears of every request, as `LOG_FORMAT` has it; None: nobody."""

    @property
    def generation(self) -> str:
        """Changes when the structure does, not when servers do."""
        text = "\n".join(self._lines(servers=False))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def text(self) -> str:
        """Return the configuration file."""
        lines = ["global", f"  description {self.generation}", *self._lines(servers=True), ""]
        return "\n".join(lines)

    def _lines(self, *, servers: bool) -> list[str]:
        lines = [*_GLOBAL, *_DEFAULTS]
        if self.log is not None:
            lines += [
                f"  log ring@{_RING} len 512 format raw local0 info",
                f"  log unix@{self.log.socket} len 512 format raw local0 notice",
                f"  log-format {quoted(f'{self.log.token} {LOG_FORMAT}')}",
                "  option dontlognull",  # a connection without a request is none
                *_ring(self.log),
            ]
        for frontend in self.frontends:
            lines += _frontend(frontend, self.backend_names)
            if self.log is not None:
                # A worker that stops forwards no ring any more: such lines alone go to the socket.
                lines.append("  http-after-response set-log-level notice if { stopping }")
        for backend in self.backends:
            lines += _backend(backend, servers=servers)
        return lines


_RING = "requests"


def _ring(log: LogTo) -> list[str]:
    """Return the buffer of log lines: over TCP, because a socket that sends datagrams listens on every address.

    It keeps what it cannot deliver while the control plane restarts, some 10,000 lines, but not over a reload.
    """
    return [
        f"ring {_RING}",
        "  format raw",
        "  maxlen 512",
        "  size 1048576",
        "  timeout connect 5s",
        "  timeout server 10s",
        f"  server control {log.address}:{log.port}",
    ]


_GLOBAL = (
    # A port that another process holds must be an error, not shared with it.
    "  noreuseport",
    # One thread serves some 50,000 requests/s and keeps round robin exact.
    "  nbthread 1",
    "  fd-hard-limit 20000",
    "  default-path config",
    "  hard-stop-after 3600s",
)
_DEFAULTS = (
    "defaults",
    "  mode http",
    # A load balancer hides no target's failure: no second try elsewhere.
    "  retries 0",
    # A kept connection whose target was killed would end in a reset instead of a 502.
    "  option http-server-close",
    f"  timeout connect {int(CONNECT_TIMEOUT.total_seconds())}s",
    *(f"  errorfile {status} {ERROR_PAGES}/{status}.http" for status in (400, 408, 500, 502, 503, 504)),
)


def error_pages() -> dict[str, bytes]:
    """Return the error pages, by file name.

    HAProxy says 503 when it cannot connect to a target, a load balancer 502. 503 for want of a target is a rule of the
    backend.
    """
    pages = {400: "400 Bad Request", 408: "408 Request Time-out", 500: "500 Internal Server Error"}
    pages |= {502: "502 Bad Gateway", 503: "502 Bad Gateway", 504: "504 Gateway Time-out"}
    return {f"{status}.http": _raw(title) for status, title in pages.items()}


def _raw(title: str) -> bytes:
    body = page(title)
    head = (
        f"HTTP/1.1 {title}\r\nServer: {OWN}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return (head + body).encode()


def page(title: str) -> str:
    """Return the page of an application load balancer that bears this title."""
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "</body>\r\n</html>\r\n"
    )


def _frontend(frontend: Frontend, backend_names: Mapping[str, str]) -> list[str]:
    timeout = _milliseconds(frontend.idle_timeout)
    return [
        f"frontend {frontend.name}",
        f"  bind {frontend.name} proto h1",
        f"  timeout client {timeout}",
        f"  timeout http-request {timeout}",
        f"  timeout http-keep-alive {timeout}",
        # A reload must not close a kept connection under a request that is on its way.
        "  option idle-close-on-response",
        '  http-after-response set-header Date "%[date,http_date]" if !{ res.hdr(Date) -m found }',
        *_response_headers(frontend.attributes),
        *_forwarded_headers(frontend),
        *_trace_header(),
        *rule_lines(frontend.rules, backend_names, frontend.listener_port, page),
    ]


def _forwarded_headers(frontend: Frontend) -> list[str]:
    lines = [
        "  http-request set-header X-Forwarded-Proto http",
        f"  http-request set-header X-Forwarded-Port {frontend.listener_port}",
    ]
    client = "%[src]"
    if frontend.attributes.get("routing.http.xff_client_port.enabled") == "true":
        client = "%[src]:%[src_port]"
    match frontend.attributes.get("routing.http.xff_header_processing.mode", "append"):
        case "remove":
            lines.append("  http-request del-header X-Forwarded-For")
        case "append":
            many = f"%[req.fhdr(X-Forwarded-For)], {client}"
            lines += [
                # Several lines of the header stay as they are and get one more; one line is appended to.
                f'  http-request add-header X-Forwarded-For "{client}" if {{ req.fhdr_cnt(X-Forwarded-For) gt 1 }}',
                f'  http-request set-header X-Forwarded-For "{many}" if {{ req.fhdr_cnt(X-Forwarded-For) eq 1 }}',
                f'  http-request set-header X-Forwarded-For "{client}" if {{ req.fhdr_cnt(X-Forwarded-For) eq 0 }}',
            ]
    return lines


def _trace_header() -> list[str]:
    header = "X-Amzn-Trace-Id"
    present = f"{{ req.fhdr({header}) -m found }}"
    rooted = f"{{ req.fhdr({header}) -m sub Root= }}"
    own = "1-%[var(txn.trace_time)]-%[var(txn.trace_id)]"
    # A Self field of the balancer before is replaced by ours.
    rest = f"%[req.fhdr({header}),regsub(Self=[^;]*;?,,)]"
    return [
        "  http-request set-var(txn.trace_time) date,hex,lower,bytes(8,8)",
        "  http-request set-var(txn.trace_id) uuid,regsub(-,,g),bytes(0,24)",
        f'  http-request set-header {header} "Self={own};{rest}" if {rooted}',
        f'  http-request set-header {header} "Root={own};%[req.fhdr({header})]" if {present} !{rooted}',
        f'  http-request set-header {header} "Root={own}" if !{present}',
    ]


_HEADER_VALUE = "routing.http.response."


def _response_headers(attributes: Mapping[str, str]) -> list[str]:
    lines = []
    for name, value in attributes.items():
        if name.startswith(_HEADER_VALUE) and name.endswith(".header_value") and value:
            header = name.removeprefix(_HEADER_VALUE).removesuffix(".header_value").replace("_", "-")
            lines.append(f"  http-after-response set-header {header} {quoted(value, fmt=True)}")
    if attributes.get("routing.http.response.server.enabled") == "false":
        lines.append("  http-after-response del-header Server")
    return lines


def _backend(backend: Backend, *, servers: bool) -> list[str]:
    timeout = _milliseconds(backend.idle_timeout)
    none = "{ nbsrv eq 0 }"
    reason = "Service Temporarily Unavailable"
    body = quoted(page(f"503 {reason}"))
    lines = [
        f"backend {backend.name}",
        "  http-request set-var(txn.sent_us) date(0,us)",
        "  http-response set-var(txn.answered_us) date(0,us)",
        f"  balance {backend.algorithm}",
        f"  timeout server {timeout}",
        f"  timeout tunnel {timeout}",
        f"  http-request set-var(txn.no_target) bool(true) if {none}",
        f'  http-after-response set-status 503 reason "{reason}" if {{ var(txn.no_target) -m bool }}',
        f"  http-request return status 503 content-type text/html string {body} hdr Server {OWN} if {none}",
    ]
    if servers:
        for name, state in sorted(backend.servers.items()):
            lines.append(f"  server {name} {name}" + ("" if state is ServerState.READY else " disabled"))
    return lines


def _milliseconds(duration: timedelta) -> str:
    return f"{int(duration / timedelta(milliseconds=1))}ms"
