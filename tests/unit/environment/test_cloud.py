"""The guard between two clouds, two accounts, two regions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.environment.test_exports import TARGET

from miyabi.environment.cloud import RecordedCloud, answering_kind, check_recorded_cloud
from miyabi.model.errors import Conflict

RECORDED = RecordedCloud("local", "112530848482", "us-west-2")


def test_the_same_cloud_may_go_on() -> None:
    for recorded in (RECORDED, None):
        check_recorded_cloud(recorded, target=TARGET, answering_account="112530848482", kind="local")


@pytest.mark.parametrize(
    ("recorded", "account", "kind"),
    [
        (RECORDED, "112530848482", "aws"),
        (RECORDED, "999999999999", "local"),
        (replace(RECORDED, kind="aws"), "112530848482", "local"),
        (replace(RECORDED, account="999999999999"), "112530848482", "local"),
        (replace(RECORDED, region="us-east-1"), "112530848482", "local"),
        (None, "112530848482", "aws"),
    ],
)
def test_any_other_is_refused_with_a_hint(recorded: RecordedCloud | None, account: str, kind: str) -> None:
    with pytest.raises(Conflict) as caught:
        check_recorded_cloud(recorded, target=TARGET, answering_account=account, kind=kind)
    assert caught.value.hint


def test_the_local_clouds_own_user_is_told_from_all_others() -> None:
    assert answering_kind("arn:aws:iam::112530848482:user/miyabi-local") == "local"
    assert answering_kind("arn:aws:sts::112530848482:assumed-role/admin/me") == "aws"
