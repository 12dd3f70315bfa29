"""miyabi.toml: what it means, and that every refusal names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.environment.config import find_project, load_project
from miyabi.model.errors import InvalidInput, NotFound

MINIMAL = """
project = "shop"

[environments.dev]
account = "112530848482"
region = "us-west-2"
terraform = "infra/dev"
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "miyabi.toml"
    path.write_text(text)
    return path


def test_names_are_derived_from_project_and_environment(tmp_path: Path) -> None:
    environment = load_project(write(tmp_path, MINIMAL)).environment()
    assert environment.cluster == "shop-cluster-dev"
    assert environment.service == "shop-service-dev"
    assert environment.log_group == "/ecs/shop-dev"
    assert environment.image_parameter == "/shop/dev/image"
    assert environment.terraform == tmp_path / "infra" / "dev"
    assert environment.image is None


def test_a_name_that_is_given_goes_before_the_derived_one(tmp_path: Path) -> None:
    text = MINIMAL + 'cluster = "theirs"\n[environments.dev.variables]\nzones = ["a", "b"]\nregion = "eu-west-1"\n'
    environment = load_project(write(tmp_path, text)).environment("dev")
    assert environment.cluster == "theirs"
    given = environment.terraform_variables()
    assert given["zones"] == ["a", "b"]
    assert given["region"] == "eu-west-1"
    assert given["name"] == "shop"


def test_the_default_environment_is_the_first_one_unless_it_is_named(tmp_path: Path) -> None:
    second = MINIMAL.split("\n\n")[1].replace(".dev]", ".dr]")
    assert load_project(write(tmp_path, MINIMAL + second)).default_environment == "dev"
    named = MINIMAL.replace('"shop"\n', '"shop"\ndefault_environment = "dr"\n', 1) + second
    assert load_project(write(tmp_path, named)).environment().name == "dr"


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("region =", "regoin ="), "unknown key 'environments.dev.regoin'", "Did you mean 'region'?"),
        (("project =", "projekt ="), "unknown key 'projekt'", "Did you mean 'project'?"),
        (('region = "us-west-2"\n', ""), "'environments.dev.region' is missing", None),
        (('"112530848482"', "112530848482"), "'environments.dev.account' must be a text in quotes", "miyabi init"),
        (
            ("[environments.dev]", "[environments]\ndev = 3\n[environments.other]"),
            "'environments.<name>' must be a table of keys",
            None,
        ),
        (('"112530848482"', '"1125"'), "environments.dev.account: '1125' is not twelve digits", None),
        (('"us-west-2"', '"Oregon"'), "environments.dev.region: 'Oregon'", None),
        (("project =", "project"), "not TOML", None),
        (('"shop"', '"Shop!"'), "project: 'Shop!'", None),
        (("[environments.dev]", 'default_environment = "prod"\n[environments.dev]'), "[environments.prod]", "dev"),
        (('terraform = "infra/dev"', 'terraform = "infra/dev"\nhealth_path = "ping"'), "does not start with /", None),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(
    tmp_path: Path, change: tuple[str, str], message: str, hint: str | None
) -> None:
    path = write(tmp_path, MINIMAL.replace(*change, 1))
    with pytest.raises(InvalidInput) as caught:
        load_project(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    if hint is not None:
        assert hint in (caught.value.hint or "")


def test_an_unknown_environment_is_refused_with_the_ones_there_are(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, MINIMAL))
    with pytest.raises(InvalidInput) as caught:
        project.environment("production")
    assert "dev" in (caught.value.hint or "")


def test_the_file_is_looked_for_upwards(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_project(None, start=below, environ={}) == path


def test_the_option_goes_before_the_variable_and_both_before_the_search(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    other, third = tmp_path / "other.toml", tmp_path / "third.toml"
    other.write_text(MINIMAL)
    third.write_text(MINIMAL)
    assert find_project(None, start=tmp_path, environ={"MIYABI_FILE": "other.toml"}) == other
    assert find_project("third.toml", start=tmp_path, environ={"MIYABI_FILE": "other.toml"}) == third


def test_without_a_file_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    for named in (None, "nowhere.toml"):
        with pytest.raises(NotFound) as caught:
            find_project(named, start=tmp_path, environ={})
        assert "miyabi init" in (caught.value.hint or "")


def test_the_repositorys_own_file_is_what_init_writes() -> None:
    from miyabi.environment.scaffold import Scaffold, miyabi_toml

    root = Path(__file__).parents[3]
    assert (root / "miyabi.toml").read_text() == miyabi_toml(Scaffold("miyabi"))
    environment = load_project(root / "miyabi.toml").environment("dev")
    assert environment.cluster == "miyabi-cluster-dev"
    assert environment.image == root / "image.toml"
