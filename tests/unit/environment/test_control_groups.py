"""Finding places for control groups, in directories that look like the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from miyabi.environment import control_groups
from miyabi.environment.control_groups import find_places, scope_prefix
from miyabi.policy.limiter import CPU, MEMORY, Limiter


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(control_groups, "own_groups", lambda: {"": "/own"})
    return tmp_path / "own"


def given(own: Path, *, controllers: str, below: str = "", processes: str = "") -> None:
    for name, text in (("controllers", controllers), ("subtree_control", below), ("procs", processes)):
        (own / f"cgroup.{name}").write_text(text)


def test_a_group_of_version_2_that_gives_its_controllers_is_a_place(own: Path) -> None:
    given(own, controllers="cpu memory io", below="memory cpu")
    found = find_places(own.parent)
    assert found[Limiter.CGROUP_V2].by_controller == {MEMORY: own, CPU: own}


def test_one_that_lacks_a_controller_or_holds_others_processes_is_none(own: Path) -> None:
    given(own, controllers="memory", below="memory")
    assert find_places(own.parent, take=True) == {}
    given(own, controllers="cpu memory", processes=f"{os.getpid()} 1")
    assert find_places(own.parent, take=True) == {}


def test_one_that_is_ours_alone_is_taken_only_when_that_is_asked(own: Path) -> None:
    given(own, controllers="cpu memory", processes=f"{os.getpid()} {os.getppid()}")
    assert find_places(own.parent) == {}
    assert set(find_places(own.parent, take=True)) == {Limiter.CGROUP_V2}
    assert (own / "cgroup.subtree_control").read_text() == "+memory +cpu"
    assert (own / "miyabi-supervisor").is_dir()


def test_where_systemd_is_not_the_first_process_there_is_no_scope(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(control_groups, "_SYSTEMD", tmp_path / "absent")
    assert scope_prefix(os.environ) == ()
