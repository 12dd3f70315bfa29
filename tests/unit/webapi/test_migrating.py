"""Which migrations a database lacks, and that each of them only adds."""

from __future__ import annotations

import re

import pytest

from miyabi.webapi.migrating import BrokenSchema, Migration, migrations, missing

STEPS = [Migration(1, "one", "CREATE TABLE a ()"), Migration(2, "two", "ALTER TABLE a ADD b int")]


def test_what_is_missing_is_applied_in_order() -> None:
    assert missing(STEPS, {}) == STEPS
    assert missing(STEPS, {1: STEPS[0].checksum}) == STEPS[1:]
    assert missing(STEPS, {step.number: step.checksum for step in STEPS}) == []


def test_a_database_that_is_ahead_lacks_nothing() -> None:
    assert missing(STEPS[:1], {1: STEPS[0].checksum, 2: "newer", 3: "newer"}) == []


def test_a_migration_that_was_changed_after_it_was_applied_is_refused() -> None:
    with pytest.raises(BrokenSchema, match=r"0001 \(one\)"):
        missing(STEPS, {1: "other"})


def test_the_service_s_migrations_are_numbered_without_a_gap() -> None:
    assert [step.number for step in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize("step", migrations(), ids=lambda step: step.name)
def test_a_migration_only_adds_so_that_tasks_of_the_version_before_go_on(step: Migration) -> None:
    said = re.sub(r"--.*", "", step.sql)
    forbidden = r"\b(DROP|RENAME|TRUNCATE|DELETE|UPDATE|SET\s+NOT\s+NULL|ALTER\s+COLUMN|COMMIT|CONCURRENTLY)\b"
    assert not re.search(forbidden, said, re.IGNORECASE)
    for added in re.findall(r"ADD\s+(?:COLUMN\s+)?.*", said, re.IGNORECASE):
        assert not ("NOT NULL" in added.upper() and "DEFAULT" not in added.upper())
