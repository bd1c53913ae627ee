import dataclasses
from pathlib import Path

import numpy as np
import pytest

from momentum_opt import Fingerprint, Market, market_of, score, tune
from momentum_opt.api.replaying import check_replay
from momentum_opt.errors import DataError, ReplayMismatchError
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
