from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miyabi.policy.limiter import CPU, CPU_PERIOD, MEMORY, Choice, Limiter, choose_limiter, cpu_quota

BOTH = {MEMORY, CPU}


def test_the_best_that_is_offered_is_chosen() -> None:
    offered = {Limiter.CGROUP_V1: BOTH, Limiter.CGROUP_V2: BOTH, Limiter.SYSTEMD_SCOPE: BOTH}
    assert choose_limiter(offered) == Choice(Limiter.SYSTEMD_SCOPE)
    del offered[Limiter.SYSTEMD_SCOPE]
    assert choose_limiter(offered) == Choice(Limiter.CGROUP_V2)
    del offered[Limiter.CGROUP_V2]
    assert choose_limiter(offered) == Choice(Limiter.CGROUP_V1)


@pytest.mark.parametrize("offered", [{}, {Limiter.CGROUP_V1: {MEMORY}}, {Limiter.CGROUP_V2: {CPU}}])
def test_without_one_that_holds_both_memory_is_polled_and_what_is_lost_is_said(
    offered: dict[Limiter, set[str]],
) -> None:
    choice = choose_limiter(offered)
    assert choice.limiter is Limiter.POLLING
    assert "every 0.25 s" in choice.text
    assert "their CPU is not limited" in choice.text


def test_one_may_insist_on_a_limiter_that_is_offered() -> None:
    offered = {Limiter.CGROUP_V1: BOTH, Limiter.CGROUP_V2: BOTH}
    assert choose_limiter(offered, asked="cgroup v1").limiter is Limiter.CGROUP_V1
    assert choose_limiter(offered, asked="memory polling").lost.endswith("because it was asked for")
    assert choose_limiter(offered, asked="systemd scope").limiter is Limiter.CGROUP_V2


@given(st.dictionaries(st.sampled_from(Limiter), st.sets(st.sampled_from([MEMORY, CPU]))))
def test_the_choice_is_one_that_is_offered_whole_or_polling(offered: dict[Limiter, set[str]]) -> None:
    choice = choose_limiter(offered)
    assert choice.limiter is Limiter.POLLING or offered[choice.limiter] == BOTH
    assert bool(choice.lost) == (choice.limiter is Limiter.POLLING)


def test_units_are_thousandths_and_a_bit_of_a_cpu() -> None:
    assert cpu_quota(256) == CPU_PERIOD / 4
    assert cpu_quota(4096) == CPU_PERIOD * 4
    assert cpu_quota(1) == timedelta(milliseconds=1)
