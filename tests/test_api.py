import dataclasses
from pathlib import Path

import numpy as np
import pytest

from momentum_opt import Fingerprint, Market, backtest, load_fingerprint, load_market, market_of, report, score, tune
from momentum_opt.api.replaying import check_replay
from momentum_opt.errors import DataError, ParamsError, ReplayMismatchError
from momentum_opt.fingerprint.yaml_text import to_yaml_text
from momentum_opt.study.space import search_space
from tests.sample_runs import SAMPLE, TOKENS, smoke


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(smoke())


def test_prices_of_a_fingerprint(market: Market):
    assert market.tokens == TOKENS
    assert market.burn_in_days == 30
    assert len(market.prices) == (30 + 56) * 1440
    assert market_of(smoke("pool.max_memory_days=9.5")).burn_in_days == 10
    assert market_of(smoke(), burn_in_days=3).burn_in_days == 3


def test_no_folder_is_an_error():
    fingerprint = smoke().to_dict()
    fingerprint["data"]["root"] = None
    homeless = Fingerprint.from_dict(fingerprint)
    with pytest.raises(DataError, match=r"no folder of price files is named; set data.root, or give --data"):
        market_of(homeless)
    assert market_of(homeless, root=SAMPLE).tokens == TOKENS


def test_a_score_is_what_a_tune_is_told(market: Market, tmp_path: Path):
    fingerprint = smoke("search.n_trials=8")
    result = tune(fingerprint, tmp_path / "run")
    space = search_space(fingerprint)
    scored = score(fingerprint, market, [space.params(record.numbers) for record in result.outcome.records])
    for one, record in zip(scored, result.outcome.records, strict=True):
        np.testing.assert_allclose(one["objectives"], record.objectives, rtol=1e-12)
        assert one["train"]["returns"] == pytest.approx(record.train["returns"], rel=1e-12)
    assert result.best["objective"]["value"] == max(one["objectives"][0] for one in scored)
    assert dataclasses.asdict(result.folder)["path"] == tmp_path / "run"


def test_the_tolerance_of_a_replay():
    check_replay([1.0, 0.0], [1.0 + 9e-10, 1e-13], "it")
    with pytest.raises(
        ReplayMismatchError, match=r"trial 3: tuned value 1\.0, replayed 1\.00000000[0-9]+; .* report it"
    ):
        check_replay([1.0], [1.0 + 2e-9], "trial 3")
    with pytest.raises(ReplayMismatchError, match="replayed nan"):
        check_replay([1.0], [float("nan")], "it")


def test_a_score_takes_what_a_notebook_writes(market: Market):
    fingerprint = smoke()
    arrays = {"log_k": np.full(3, 4.0), "logit_lamb": np.array([1.0, 2.0, 3.0]), "initial_weights_logits": np.ones(3)}
    by_token = dict(zip(TOKENS, (1.0, 2.0, 3.0), strict=True))
    written = {"log_k": 4.0, "logit_lamb": by_token}  # initial weights as the search has them
    (one,), (other,) = score(fingerprint, market, [arrays]), score(fingerprint, market, [written])
    assert one["objectives"] == other["objectives"]
    assert one["validation"] == other["validation"]


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], r"^sets: there is none; give at least one parameter set$"),
        (
            [{"log_k": 1.0, "logit_lamb": 1.0}, {"k": 1.0, "logit_lamb": 1.0}],
            r"^sets\[1\]: names initial_weights_logits, k, logit_lamb, but sets\[0\] names initial_weights_logits, "
            r"log_k, logit_lamb; name the same in all sets of a call$",
        ),
        ([{"log_k": 1.0, "logit_lamb": 1.0}, {"logk": 1.0}], r"^sets\[1\]: unknown parameter logk; use "),
        ([{"log_k": 1.0, "logit_lamb": float("nan")}], r"^sets\[0\]: `params.logit_lamb` must be finite"),
    ],
)
def test_what_cannot_be_scored_is_named(market: Market, sets: list[dict[str, float]], message: str):
    with pytest.raises(ParamsError, match=message):
        score(smoke(), market, sets)


def test_paths_may_be_text(tmp_path: Path):
    config, run = tmp_path / "config.yaml", str(tmp_path / "run")
    config.write_text(to_yaml_text(smoke("search.n_trials=8").to_yaml_form()))
    fingerprint = load_fingerprint(str(config))
    assert market_of(fingerprint, root=str(SAMPLE)).tokens == TOKENS
    window = {"start": fingerprint.window.start, "end": fingerprint.last_day, "burn_in_days": 30}
    assert load_market(str(SAMPLE), TOKENS, **window).tokens == TOKENS
    best = tune(fingerprint, run).best
    assert best is not None
    replayed = backtest(f"{run}/best.json", config=str(config), data=str(SAMPLE)).replay
    assert replayed.objectives[0] == pytest.approx(best["objective"]["value"], rel=1e-9)
    assert report(run) == tmp_path / "run" / "report.html"
