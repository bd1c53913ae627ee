"""What `make bench-search` counts: the best so far of the trials that keep the limits."""

from math import inf

import pytest

from benchmarks.search import DRAWDOWN, Search, Workshop, _regret, _serves, problems
from momentum_opt.fingerprint import load_fingerprint
from tests.sample_runs import ROOT
from tests.shared_data import needs_shared


def test_only_trials_that_keep_the_limits_count():
    one = Search("A", "nsga2", 0, (1.0, 2.0, 3.0), (64, 128, 192), (None, 0.5, 0.75), None, {})
    assert [one.best_at(when) for when in (0.5, 1.5, 2.0, 9.0)] == [-inf, -inf, 0.5, 0.75]
    assert [_regret(one.best_at(when), 1.0, 0.0) for when in (1.5, 2.0, 9.0)] == [1.0, 0.5, 0.25]


@needs_shared
def test_every_problem_can_be_asked_for():
    known = problems()
    limits = {name: problem_limits(name) for name in known}
    assert limits.pop("A, drawdown") == {"max_drawdown": {"min": DRAWDOWN}}
    assert not any(limits.values())


def problem_limits(name: str) -> dict[str, dict[str, float]]:
    problem = problems()[name]
    aim = load_fingerprint(ROOT / "configs" / problem.config, problem.overrides).objective
    return {metric: limit.model_dump(exclude_none=True) for metric, limit in aim.limits.items()}


@needs_shared
def test_a_sampler_that_the_problem_refuses_is_left_out(capsys: pytest.CaptureFixture[str]):
    workshop = Workshop.__new__(Workshop)  # without the prices, which take a second
    workshop.problem = problems()["A, drawdown"]
    assert _serves("nsga2", workshop)
    assert not _serves("memetic", workshop)
    assert capsys.readouterr().out.startswith(
        "A, drawdown: left out: --set search.sampler=memetic: cannot keep a limit"
    )
