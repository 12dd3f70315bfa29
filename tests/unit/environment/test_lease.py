"""Leases: no two homes share a block or a port, and nothing stays leased for ever."""

from __future__ import annotations

import shutil
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from miyabi.environment.home import FORMAT, Home, Instance
from miyabi.environment.lease import checkout_name, home_of, open_instance, release
from miyabi.model.errors import Conflict, InvalidInput


def lease(home: Path, state: Path, **environ: str) -> Instance:
    with ExitStack() as claims:
        return claim(home, state, claims, **environ)


def claim(home: Path, state: Path, claims: ExitStack, **environ: str) -> Instance:
    variables = {"XDG_STATE_HOME": str(state), **environ}
    return open_instance(Home(home), account="112530848482", region="us-west-2", environ=variables, claims=claims)


def test_a_lease_is_kept_for_life(tmp_path: Path) -> None:
    first = lease(tmp_path / "home", tmp_path / "state")
    assert lease(tmp_path / "home", tmp_path / "state") == first
    assert 1 <= first.block <= 254
    assert first.access_key.startswith("AKIA")
    assert len(first.access_key) == 20


def test_homes_that_start_at_once_share_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda n: lease(tmp_path / f"home-{n}", tmp_path / "state"), range(8)))
    for values in zip(*((one.block, one.api_port, one.instance_id, one.secret_key) for one in leases), strict=True):
        assert len(set(values)) == 8


def test_users_who_know_nothing_of_each_other_share_nothing_before_they_listen(tmp_path: Path) -> None:
    with ExitStack() as claims, ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda n: claim(tmp_path / f"h{n}", tmp_path / f"state-{n}", claims), range(8)))
        assert len({one.api_port for one in leases}) == len({one.block for one in leases}) == 8
        with pytest.raises(Conflict, match="MIYABI_API_PORT"):
            lease(tmp_path / "asked", tmp_path / "asked-state", MIYABI_API_PORT=str(leases[0].api_port))
    shutil.rmtree(tmp_path / "asked", ignore_errors=True)
    assert lease(tmp_path / "asked", tmp_path / "asked-state").api_port in {one.api_port for one in leases}


def test_one_home_opened_by_two_commands_at_once_has_one_instance(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        leases = set(pool.map(lambda _: lease(tmp_path / "home", tmp_path / "state"), range(8)))
    assert len(leases) == 1


def test_a_port_in_use_is_not_leased(tmp_path: Path) -> None:
    free = lease(tmp_path / "one", tmp_path / "state").api_port
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        with pytest.raises(Conflict, match=str(taken)):
            lease(tmp_path / "two", tmp_path / "state", MIYABI_API_PORT=str(taken))
    assert lease(tmp_path / "two", tmp_path / "state", MIYABI_API_PORT=str(taken)).api_port == taken != free


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="MIYABI_API_PORT"):
        lease(tmp_path / "home", tmp_path / "state", MIYABI_API_PORT="http")


def test_a_block_on_which_somebody_listens_is_not_leased(tmp_path: Path) -> None:
    block = lease(tmp_path / "one", tmp_path / "first").block
    with socket.socket() as busy:
        busy.bind((f"127.{block}.9.9", 0))
        busy.listen()
        # The same home again, which would start at the same block, with another registry, as another user has it: only
        # the socket shows that the block is taken.
        shutil.rmtree(tmp_path / "one")
        assert lease(tmp_path / "one", tmp_path / "second").block != block


def test_the_lease_of_a_home_that_is_gone_is_given_back(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = lease(tmp_path / "one", state)
    shutil.rmtree(tmp_path / "one")
    second = lease(tmp_path / "one", state)
    assert second.block == first.block
    assert [path.stem for path in (state / "miyabi" / "instances").glob("*.json")] == [second.instance_id]


def test_a_released_block_may_be_leased_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = lease(tmp_path / "one", state)
    release(first, {"XDG_STATE_HOME": str(state)})
    shutil.rmtree(tmp_path / "one")
    assert lease(tmp_path / "one", state).block == first.block


def test_everything_in_the_home_is_private(tmp_path: Path) -> None:
    lease(tmp_path / "home", tmp_path / "state")
    for path in (tmp_path / "home", *(tmp_path / "home").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_home_that_was_open_to_others_becomes_private(tmp_path: Path) -> None:
    for directory in (tmp_path / "home" / "run", tmp_path / "state" / "miyabi" / "instances"):
        directory.mkdir(parents=True)
        for path in (directory, directory.parent):
            path.chmod(0o755)
    lease(tmp_path / "home", tmp_path / "state")
    for path in (tmp_path / "home", tmp_path / "home" / "run", tmp_path / "state" / "miyabi"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


def test_a_directory_of_everybody_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o1777)
    with pytest.raises(InvalidInput, match="not this user's alone"):
        lease(tmp_path / "home", tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o1777


@pytest.mark.parametrize("port", ["0", "70000", "-1", "4566 ", "²"])
def test_a_number_that_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(InvalidInput, match="MIYABI_API_PORT"):
        lease(tmp_path / "home", tmp_path / "state", MIYABI_API_PORT=port)
    assert not (tmp_path / "home").exists()


def test_the_home_is_named_by_the_checkout_unless_a_variable_names_it(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "shop" / "miyabi.toml", tmp_path / "b" / "shop" / "miyabi.toml"
    assert checkout_name(one).startswith("shop-")
    assert checkout_name(one) != checkout_name(two) != checkout_name(two.with_name("other.toml"))
    home = home_of(one, {"XDG_STATE_HOME": str(tmp_path)})
    assert home.root == tmp_path / "miyabi" / checkout_name(one)
    assert home_of(one, {"HOME": "/somewhere"}).root.is_relative_to("/somewhere/.local/state/miyabi")
    assert home_of(one, {"MIYABI_HOME": "/elsewhere"}).root == Path("/elsewhere")


def test_a_newer_or_damaged_home_is_refused_with_a_hint(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_instance(_instance())
    written = home.instance_file.read_text()
    home.instance_file.write_text(written.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    with pytest.raises(Conflict, match="newer") as caught:
        home.read_instance()
    assert caught.value.hint
    home.instance_file.write_text("{")
    with pytest.raises(Conflict, match="damaged"):
        home.read_instance()


def _instance() -> Instance:
    return Instance(FORMAT, "0a1b2c3d", 7, 4566, "112530848482", "us-west-2", "AKIA" + "A" * 16, "secret")
