"""The ledger that the kill tests keep: every kind of change is written and read back, and what is lost is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto.core.base_backend import BackendDict

from tests.acceptance.cloud import until
from tests.acceptance.ledger import ApiLedger
from tests.acceptance.ledger_kinds import KINDS, Kind
from tests.contract.control_api import serve


def test_every_kind_is_acknowledged_kept_over_a_restart_and_missed_when_it_is_gone(tmp_path: Path) -> None:
    with serve(tmp_path) as api:
        ledger = ApiLedger(api.client)
        ledger.open()
        with ledger.writing():
            until(lambda: ledger.acknowledged >= 2 * len(KINDS), seconds=60, what="two of every kind")
        assert ledger.refused == 0
        ledger.check()
    BackendDict.reset()  # as in a new process
    with serve(tmp_path) as again:
        ledger.aws = again.client
        ledger.check()
        for entry in ledger.present[-len(KINDS) :]:
            lose(ledger, entry.kind, entry.name)
        entry = ledger.present[0]
        entry.seen = {**(entry.seen or {}), "Arn": "another"}
        with pytest.raises(AssertionError, match=r"was .* and is"):
            ledger.check()


def lose(ledger: ApiLedger, kind: Kind, name: str) -> None:
    kind.delete(ledger.aws, name)
    with pytest.raises(AssertionError, match=f"{name} was acknowledged and is not there"):
        ledger.check()
    ledger.present = [entry for entry in ledger.present if entry.name != name]
