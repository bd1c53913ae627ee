"""Candidates per second of the engine without costs, for batches and chunks; beside a bare sketch of it.

python -m benchmarks.engine        medians of engine and sketch in turn, by batch, as JSON
"""

import json

import jax

from benchmarks.measuring import Row, in_turn, median_seconds, random_columns, row, seconds, workload
from benchmarks.sketch import sketch
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.study.candidates import ParamColumns
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space

BATCHES = (1, 16, 64, 256, 512, 1024, 2048, 4096, 8192)
WIDE = (32_768, 131_072)
"""On a GPU besides."""
MINUTE_BATCHES = (64, 256, 1024)
SKETCHED = (512, 1024, 2048)
ROUNDS = 15


def engine_rows(fingerprint: Fingerprint) -> list[Row]:
    """One scored batch, transfers included, and the time of the first one, which compiles it or finds it compiled."""
    market, space = market_of(fingerprint), search_space(fingerprint)
    batches = BATCHES + (WIDE if jax.default_backend() == "gpu" else ())
    widest = Evaluator(fingerprint, market, batch_size=max(batches))
    chunk = fingerprint.pool.chunk_period
    rows: list[Row] = []
    for batch in batches:
        evaluator, columns = widest.of_width(batch), random_columns(space, batch)
        name = f"score, chunk {chunk} min, batch {batch}"
        first = seconds(lambda: evaluator.score_columns(columns))  # noqa: B023  # called before the next turn
        again = median_seconds(lambda: evaluator.score_columns(columns))  # noqa: B023  # called before the next turn
        rows.append(row(name, batch / again, "candidates/s"))
        rows.append(row(f"{name}: first call", first, "s"))
    rows.append(row(f"widest batch, chunk {chunk} min", widest.most, "candidates"))
    return rows


def minute_rows(fingerprint: Fingerprint) -> list[Row]:
    """The same of a metric that needs minute values."""
    market, space, metric = market_of(fingerprint), search_space(fingerprint), fingerprint.objective.metric
    rows: list[Row] = []
    for batch in MINUTE_BATCHES:
        evaluator, columns = Evaluator(fingerprint, market, batch_size=batch), random_columns(space, batch)
        name = f"score, {metric}, batch {batch}"
        first = seconds(lambda: evaluator.score_columns(columns))  # noqa: B023  # called before the next turn
        again = median_seconds(lambda: evaluator.score_columns(columns), 3)  # noqa: B023  # likewise
        rows += [row(name, batch / again, "candidates/s"), row(f"{name}: first call", first, "s")]
    return rows


def sketch_rows(fingerprint: Fingerprint) -> list[Row]:
    """The engine and the sketch in turn, both on all devices."""
    rows: list[Row] = []
    for batch, (mine, sketched) in in_turn_with_sketch(fingerprint).items():
        name = f"in turn with the sketch, batch {batch}"
        rows.append(row(f"{name}: engine", batch / mine, "candidates/s"))
        rows.append(row(f"{name}: sketch", batch / sketched, "candidates/s"))
        rows.append(row(f"{name}: engine/sketch", sketched / mine, "(target 0.9)"))
    return rows


def in_turn_with_sketch(fingerprint: Fingerprint) -> dict[int, tuple[float, float]]:
    """Batch → median seconds of the engine and of the sketch."""
    market, space = market_of(fingerprint), search_space(fingerprint)
    bare = sketch(fingerprint, market)
    widest = Evaluator(fingerprint, market, batch_size=max(SKETCHED))
    times: dict[int, tuple[float, float]] = {}
    for batch in SKETCHED:
        evaluator, columns = widest.of_width(batch), random_columns(space, batch)

        def ours(evaluator: Evaluator = evaluator, columns: ParamColumns = columns) -> object:
            return evaluator.score_columns(columns)

        def theirs(columns: ParamColumns = columns) -> object:
            return bare(columns["logit_lamb"], columns["log_k"])

        for run in (ours, theirs):
            seconds(run)  # compiles
        times[batch] = in_turn(ours, theirs, ROUNDS)
    return times


def main() -> None:
    """Print the times of W1."""
    device.configure()
    config, overrides, _ = workload()
    print(json.dumps(in_turn_with_sketch(load_fingerprint(config, overrides))))


if __name__ == "__main__":
    main()
