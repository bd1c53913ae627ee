"""The verdict's rules on findings made by hand."""

import re
from dataclasses import replace

import pytest

from momentum_opt.evidence.findings import Histogram, OverfittingFindings, PlateauFindings, SharpeFindings, Verdict
from momentum_opt.evidence.verdict import ALL_MET, NOTHING, SOME_MET, UNDECIDED, WORDS, beside, verdict
from momentum_opt.fingerprint.sections import Verdict as Thresholds

OVERFITTING = OverfittingFindings(0.1, 0.5, 0.2, 100, 12870, Histogram((0.0, 1.0), (12870,)))
EXCESS = SharpeFindings(300, 0.1, 1.9, 0.0, 3.0, 0.99, 0.002, 0.05, 0.97, None, OVERFITTING, {})
PLATEAU = PlateauFindings(1.0, 0.2, 0.05, 0.6, None, (), ())
VALIDATION = ("daily_log_sharpe", 1.2, 0.8)


def judged(excess=EXCESS, plateau=PLATEAU, validation=VALIDATION) -> Verdict:
    return verdict(excess, plateau, validation, 1_234, Thresholds())


def met(found: Verdict) -> dict[str, bool | None]:
    return {rule.name: rule.met for rule in found.rules}


def test_everything_met():
    found = judged()
    assert found.outcome == ALL_MET
    assert met(found) == {"deflated_sharpe": True, "overfitting": True, "validation": True, "plateau": True}
    assert [rule.threshold for rule in found.rules] == [0.95, 0.2, 0.0, 0.5]
    assert found.words.startswith("evidence of skill; selection among 1,234 candidates does not explain")
    assert [rule.words for rule in found.rules] == [
        "deflated Sharpe ratio 0.970, 1,234 candidates (required ≥ 0.95)",
        "probability of backtest overfitting 0.10 (required ≤ 0.20)",
        "daily_log_sharpe on validation 1.2, constant-weight pool 0.8 (required: above it)",
        "60 % of the neighbours within 5 % of each range keep 90 % of the gain (required ≥ 50 %)",
    ]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"excess": replace(EXCESS, overfitting=replace(OVERFITTING, probability=0.21))}, "overfitting"),
        ({"validation": ("returns", 0.1, 0.1)}, "validation"),
        ({"plateau": replace(PLATEAU, share_kept=0.49)}, "plateau"),
    ],
)
def test_one_rule_not_met(change, broken):
    found = judged(**change)
    assert found.outcome == SOME_MET
    assert [name for name, value in met(found).items() if not value] == [broken]


def test_luck_explains_it_whatever_else_is_met():
    found = judged(excess=replace(EXCESS, deflated_sharpe=0.94))
    assert found.outcome == NOTHING
    assert found.words == "no evidence of skill; selection among 1,234 candidates explains the result"


def test_what_could_not_be_computed_says_why():
    bare = replace(EXCESS, deflated_sharpe=None, overfitting=None, reasons={"sharpe": "A", "overfitting": "B"})
    found = judged(bare, replace(PLATEAU, share_kept=None, reason="C"), ("returns", None, None))
    assert found.outcome == UNDECIDED
    assert set(met(found).values()) == {None}
    assert all(word in rule.words for word, rule in zip("AB", found.rules, strict=False))
    assert "no validation days" in found.rules[2].words
    assert "C" in found.rules[3].words
    assert "no neighbours were asked for" in judged(plateau=None).rules[3].words


def test_it_never_advises():
    texts = [*WORDS.values(), *(rule.words for rule in judged().rules)]
    assert not [text for text in texts if re.search(r"\b(invest|buy|sell|deploy|recommend|should)\b", text)]


def test_a_probability_is_never_rounded_to_certainty_or_to_its_threshold():
    assert beside(0.346, 0.95, 3) == "0.346"
    assert beside(0.719, 0.2, 2) == "0.72"
    assert beside(0.99999, 0.95, 3) == "0.99999"
    assert beside(0.94996, 0.95, 3) == "0.94996"
    assert beside(0.2004, 0.2, 2) == "0.2004"
    assert [beside(value, 0.95, 3) for value in (0.0, 0.95, 1.0)] == ["0.000", "0.950", "1.000"]
    assert beside(1e-12, 0.2, 2) == "< 0.000001"
    assert beside(1 - 1e-12, 0.95, 3) == "> 0.999999"


def test_a_share_is_never_rounded_to_certainty():
    assert "more than 99.9 %" in judged(plateau=replace(PLATEAU, share_kept=0.99999)).rules[3].words
    assert "less than 0.1 %" in judged(plateau=replace(PLATEAU, share_kept=1e-5)).rules[3].words
