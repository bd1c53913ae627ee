"""Compute the next target weights of a live pool from the newest prices."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from momentum_opt import device
from momentum_opt.api.callbacks import ignore
from momentum_opt.api.tuned_pool import TunedPool, newest_note, tuned_pool
from momentum_opt.errors import DataError, UsageError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market, NewestBar
from momentum_opt.market.wording import age, utc
from momentum_opt.onchain.history import chunk_history
from momentum_opt.onchain.live import Position, advance, end_weights, first_position, start_ms, with_weights
from momentum_opt.paths import AnyPath, path_or_none
from momentum_opt.results.files import write_json
from momentum_opt.results.parameters import by_token
from momentum_opt.results.price_notes import price_notes
from momentum_opt.results.run_folder import prices_record, utc_text
from momentum_opt.results.verdict_section import VERDICT, recorded_verdict
from momentum_opt.results.weights_state import read_state, state_document
from momentum_opt.units import MS_PER_MINUTE

Document = dict[str, Any]

SUM_TOLERANCE = 1e-6
"""How far weights given by hand may be from a sum of one: nine decimals per token and some."""


def next_weights(
    params_file: AnyPath,
    *,
    state: AnyPath | None = None,
    at: datetime | None = None,
    current_weights: Mapping[str, float] | None = None,
    config: AnyPath | None = None,
    data: AnyPath | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Document:
    """Where the newest update sends the weights of a live pool, computed one update at a time as a keeper does.

    Without a state the pool is followed from the simulation's start. With one, only the prices since the state's time
    are read. The state is written when all has gone well; the same call again changes nothing.

    Args:
        params_file: best.json, the folder of its run, or a document with `params`.
        state: state file; made where there is none.
        at: read no price after this moment, up to which there must be prices; None reads all.
        current_weights: the weights the pool really has at the update, per token; None takes the simulated ones.
        config: configuration, where the params file has none.
        data: folder of price files; None looks where best.json or the configuration says.
        on_note: told in a line what the parameters say and the pool does not do, such as a memory beyond its cap.

    Raises:
        ParamsError: the params file cannot be used, or the state belongs to another pool.
        DataError: the prices cannot be used, end before the state's time, or do not reach back to it.
        UsageError: the current weights are not this pool's, or the state cannot be written.
    """
    device.configure()
    state = path_or_none(state)
    pool = tuned_pool(Path(params_file), config=path_or_none(config), data=path_or_none(data))
    weights = None if current_weights is None else _checked(current_weights, pool.fingerprint)
    before = None if state is None else read_state(state, pool.params, pool.fingerprint)
    newest = pool.newest()
    update = _newest_update(pool, newest, at)
    position, market = _from_start(pool, update) if before is None else _from_state(pool, before, update, state)
    if weights is not None:
        position = with_weights(position, weights, pool.fingerprint)
    kept = state_document(position, update.time_ms, pool.params, pool.fingerprint)
    if state is not None:
        _keep(state, kept)
    pool.tell(on_note or ignore)
    notes = [] if at is not None else [newest_note(newest, pool.chunk_ms)]
    notes += [] if market is None else price_notes(prices_record(market))
    document = _document(pool, position, update, kept)
    verdict = recorded_verdict(pool.document, pool.source)
    return {**document, "newest_price": utc_text(newest.time_ms), VERDICT: verdict, "notes": notes}


def _newest_update(pool: TunedPool, newest: NewestBar, at: datetime | None) -> NewestBar:
    """The bar of the last update up to the newest price, or up to `at`."""
    first, last = start_ms(pool.fingerprint), newest.time_ms
    if at is not None:
        last = round(at.timestamp() * 1000)
        due = first + (last - first) // pool.chunk_ms * pool.chunk_ms
        if due > newest.time_ms:
            raise DataError(
                f"--at: the update at {utc(due)} needs prices up to then, but those in {pool.root} end "
                f"{utc(newest.time_ms)}, {age(due - newest.time_ms)} before; give newer ones with --data, or an "
                "earlier time"
            )
    if last < first:
        raise DataError(
            f"{pool.root}: prices up to {utc(last)} do not reach the pool's start on {pool.fingerprint.window.start}; "
            "give newer ones with --data"
        )
    return NewestBar(first + (last - first) // pool.chunk_ms * pool.chunk_ms, newest.bar_minutes)


def _from_start(pool: TunedPool, update: NewestBar) -> tuple[Position, Market | None]:
    """The position after `update`, and the prices that it was computed from."""
    market = pool.history_to(update)
    history = chunk_history(market, pool.fingerprint.pool.chunk_period, update.time_ms)
    first = first_position(history.prices[0], pool.params, pool.fingerprint)
    return advance(first, history.after(int(history.times_ms[0])), pool.params, pool.fingerprint), market


def _from_state(
    pool: TunedPool, before: tuple[Position, int], update: NewestBar, path: Path | None
) -> tuple[Position, Market | None]:
    """The same, going on from a state; no prices are needed where it holds this update already."""
    position, time_ms = before
    if time_ms > update.time_ms or (update.time_ms - time_ms) % pool.chunk_ms:
        raise DataError(
            f"{path}: holds the update at {utc(time_ms)}, but the prices in {pool.root} allow one at "
            f"{utc(update.time_ms)}; give newer prices with --data, or another --state"
        )
    if time_ms == update.time_ms:
        return position, None
    market = _prices_since(pool, time_ms, update, path)
    history = chunk_history(market, pool.fingerprint.pool.chunk_period, update.time_ms)
    return advance(position, history.after(time_ms), pool.params, pool.fingerprint), market


def _prices_since(pool: TunedPool, time_ms: int, update: NewestBar, path: Path | None) -> Market:
    try:
        return pool.prices(datetime.fromtimestamp(time_ms / 1000, UTC), update.end_ms, 0)
    except DataError as error:
        lines = [f"{path}: goes on from {utc(time_ms)}, and not all prices since then can be used:", *error.problems]
        raise DataError(" ".join(lines)) from None


def _checked(given: Mapping[str, float], fingerprint: Fingerprint) -> NDArray[np.float64]:
    tokens = fingerprint.tokens
    if set(given) != set(tokens):
        raise UsageError(
            f"--current-weights: names {', '.join(sorted(given))}, but the pool holds {', '.join(tokens)}; "
            "give a weight for each of them"
        )
    weights = np.array([given[token] for token in tokens])
    if not (weights > 0).all() or abs(weights.sum() - 1.0) > SUM_TOLERANCE:
        raise UsageError(
            f"--current-weights: weights must be above 0 and sum to 1, but they are {weights.tolist()}, sum "
            f"{weights.sum():.9g}; give those that the pool has"
        )
    return weights


def _keep(state: Path, document: Document) -> None:
    try:
        write_json(state, document)
    except OSError as error:
        raise UsageError(f"{state}: cannot be written ({error.strerror}); give another --state") from None


def _document(pool: TunedPool, position: Position, update: NewestBar, kept: Document) -> Document:
    fingerprint, tokens = pool.fingerprint, pool.fingerprint.tokens
    step = np.asarray(position.move.step)
    tables = {
        "start": np.asarray(position.move.start),
        "target": np.asarray(position.move.target),
        "end": end_weights(position.move, fingerprint),
        "multiplier_per_minute": step,
        "multiplier_per_second": step / 60.0,
    }
    moving_until = update.time_ms + fingerprint.pool.weight_interpolation_period * MS_PER_MINUTE
    return {
        "time": utc_text(update.time_ms),
        "moving_until": utc_text(moving_until),
        "next_update": utc_text(update.time_ms + pool.chunk_ms),
        "interpolation": fingerprint.pool.weight_interpolation_method,
        "weights": {name: by_token(values, tokens) for name, values in tables.items()},
        "estimator": kept["estimator"],
        "change": kept["change"],
        "digest": kept["digest"],
        "data": str(pool.root),
    }
