"""CloudWatch Logs filter patterns: terms, JSON and space-delimited.

    ERROR -timeout "exact phrase"        all of these, none of those; case-sensitive, anywhere in the message
    ?ERROR ?WARN                         any of these
    %^user-[0-9]+%                       a regular expression
    { $.level = "ERROR" && $.status >= 500 }
    [ip, user, ..., status = 4*, bytes]

Source: docs.aws.amazon.com, "Filter pattern syntax for metric filters, subscription filters, filter log
events, and Live Tail". Where it is silent, the stricter reading was chosen, so that a pattern that works
here works on AWS: a bare term is letters, digits and underscores; a quoted value equals strings only, a
bare number equals a number or a string that reads the same; a comparison with a property that is missing,
null, a boolean, a list or an object is false, whatever its operator. A last field without an ellipsis
holds the rest of the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from miyabi.policy.log_filter.delimited import compile_delimited
from miyabi.policy.log_filter.scanner import InvalidFilter
from miyabi.policy.log_filter.structured import compile_structured
from miyabi.policy.log_filter.terms import compile_terms

__all__ = ["InvalidFilter", "LogFilter", "compile_filter"]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """A compiled filter pattern."""

    pattern: str
    _test: Callable[[str], bool]

    def matches(self, message: str) -> bool:
        """Say whether the pattern matches a log event's message."""
        return self._test(message)


def compile_filter(pattern: str) -> LogFilter:
    """Compile a filter pattern; an empty one matches everything. Raises InvalidFilter for bad syntax."""
    text = pattern.strip()
    if text.startswith("{"):
        return LogFilter(pattern, compile_structured(text))
    if text.startswith("["):
        return LogFilter(pattern, compile_delimited(text))
    return LogFilter(pattern, compile_terms(text))
