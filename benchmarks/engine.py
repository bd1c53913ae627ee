"""Candidates per second of the engine without costs, for batches and chunks; beside a bare sketch of it."""

from benchmarks.measuring import Row, in_turn, median_seconds, random_columns, row, seconds
from benchmarks.sketch import sketch
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space

BATCHES = (1, 16, 64, 256, 512, 1024, 2048, 4096, 8192)
SKETCHED = (512, 1024, 2048)
ROUNDS = 15


def engine_rows(fingerprint: Fingerprint, chunk: int) -> list[Row]:
    """One scored batch, transfers included, and the time of the first one, which compiles it or finds it compiled."""
    market, space = market_of(fingerprint), search_space(fingerprint)
    widest = Evaluator(fingerprint, market, batch_size=max(BATCHES))
    rows: list[Row] = []
    for batch in BATCHES:
        evaluator, columns = widest.of_width(batch), random_columns(space, batch)
        name = f"score, chunk {chunk} min, batch {batch}"
        first = seconds(lambda: evaluator.score_columns(columns))  # noqa: B023  # called before the next turn
        again = median_seconds(lambda: evaluator.score_columns(columns))  # noqa: B023  # called before the next turn
        rows.append(row(name, batch / again, "candidates/s"))
        rows.append(row(f"{name}: first call", first, "s"))
    rows.append(row(f"widest batch, chunk {chunk} min", widest.most, "candidates"))
    return rows


def sketch_rows(fingerprint: Fingerprint) -> list[Row]:
    """The engine and the sketch in turn, both on all devices."""
    market, space = market_of(fingerprint), search_space(fingerprint)
    bare = sketch(fingerprint, market)
    rows: list[Row] = []
    for batch in SKETCHED:
        evaluator, columns = Evaluator(fingerprint, market, batch_size=batch), random_columns(space, batch)

        def ours(evaluator: Evaluator = evaluator, columns: dict = columns) -> object:  # pyright: ignore[reportMissingTypeArgument]
            return evaluator.score_columns(columns)

        def theirs(columns: dict = columns) -> object:  # pyright: ignore[reportMissingTypeArgument]
            return bare(columns["logit_lamb"], columns["log_k"])

        seconds(ours), seconds(theirs)
        mine, sketched = in_turn(ours, theirs, ROUNDS)
        rows.append(row(f"in turn with the sketch, batch {batch}: engine", batch / mine, "candidates/s"))
        rows.append(row(f"in turn with the sketch, batch {batch}: sketch", batch / sketched, "candidates/s"))
        rows.append(row(f"in turn with the sketch, batch {batch}: engine/sketch", sketched / mine, "(target 0.9)"))
    return rows
