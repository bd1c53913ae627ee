"""Score a map over two numbers of a run's winner, on the prices that the run was tuned on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from momentum_opt import device
from momentum_opt.api.backtesting import check_same_prices
from momentum_opt.api.prices import market_of
from momentum_opt.evidence.pairs import PairMap, pair_keys, score_pair
from momentum_opt.paths import AnyPath
from momentum_opt.results.best import recorded_result
from momentum_opt.results.parameters import parse_params
from momentum_opt.results.report.content import Content
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space, start_params


def pair_of(content: Content, best: Path, names: Sequence[str], data: AnyPath | None = None) -> PairMap:
    """The objective over two numbers of the winner, and along each number of the search.

    Args:
        content: of the run.
        best: its best.json.
        names: of the two, such as `k_BTC` and `memory_ETH`.
        data: folder of price files; None looks where the run found them.

    Raises:
        UsageError: one of them is not searched, or both are the same.
        DataError: the prices are not there, or not those of the run.
    """
    fingerprint, document = content.fingerprint, content.document
    params = parse_params(document["params"], start_params(fingerprint), fingerprint, str(best))
    space = search_space(fingerprint, [params])
    pair = pair_keys(names, space)
    recorded = recorded_result(document, best)
    device.configure()
    market = market_of(
        fingerprint,
        root=data or (recorded.root if recorded else None),
        burn_in_days=recorded.burn_in_days if recorded else None,
        settings=False,
    )
    if recorded:
        check_same_prices(recorded, market, str(best), "")
    evaluator = Evaluator(
        fingerprint, market, batch_size=fingerprint.search.batch_size, precision=fingerprint.device.precision
    )
    winner = np.concatenate([params[one.name][: len(one.keys)] for one in space.sampled])
    return score_pair(evaluator, space, winner, pair)
