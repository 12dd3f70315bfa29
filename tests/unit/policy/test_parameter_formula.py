"""Formulas in DB parameters."""

from __future__ import annotations

import pytest

from miyabi.policy.parameter_formula import BrokenFormula, evaluate, is_formula

MICRO = {"DBInstanceClassMemory": 1024**3, "DBInstanceVCPU": 2}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("LEAST({DBInstanceClassMemory/9531392},5000)", 112),
        ("{DBInstanceClassMemory/32768}", 32768),
        ("GREATEST({DBInstanceClassMemory*1024/63963136},65536)", 65536),
        ("GREATEST($DBInstanceVCPU*2,8)", 8),
        ("SUM({DBInstanceVCPU},10,2-1)", 13),
        ("{(10-4)/4*3}", 3),
    ],
)
def test_formulas_are_computed_in_whole_numbers(formula: str, value: int) -> None:
    assert is_formula(formula)
    assert evaluate(formula, MICRO) == value


@pytest.mark.parametrize("formula", ["{Nope/2}", "LEAST({1}", "{1/0}", "{1} {2}", "LEAST()", "{"])
def test_what_cannot_be_read_is_refused(formula: str) -> None:
    with pytest.raises(BrokenFormula):
        evaluate(formula, MICRO)


@pytest.mark.parametrize("value", ["100", "%t:%r:(x)", "pg_stat_statements", "least"])
def test_plain_values_are_no_formulas(value: str) -> None:
    assert not is_formula(value)
