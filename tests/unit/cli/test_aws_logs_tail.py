"""The arguments of `aws logs tail` become those of `miyabi logs tail`."""

from __future__ import annotations

import pytest

from miyabi.cli.aws_logs_tail import translated


def test_the_runbooks_arguments_are_understood() -> None:
    assert translated(["/ecs/miyabi-dev", "--follow", "--region", "us-west-2"]) == [
        *("logs", "tail", "--group", "/ecs/miyabi-dev", "--since", "10m", "--follow")
    ]
    assert translated(["/ecs/miyabi-dev", "--since", "30m", "--filter-pattern", "ERROR"]) == [
        *("logs", "tail", "--group", "/ecs/miyabi-dev", "--since", "30m", "--filter", "ERROR")
    ]


def test_what_it_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        translated(["/ecs/miyabi-dev", "--format", "short"])
    assert ended.value.code == 2
    assert "--format" in capsys.readouterr().err
