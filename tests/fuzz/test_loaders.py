"""Damaged files of every kind: no crash, and nothing accepted that the format does not allow.

A few fixed rounds of each target run in `make test-slow`, so that CI says the same twice; `make fuzz` goes on for ten
minutes from a seed of the clock, an equal share for every target. A failure prints its example and its seed.
"""

import csv
import io
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from momentum_opt.errors import UsageError
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.market.check import check_folder
from momentum_opt.market.importing import Columns, ImportRequest, import_prices
from momentum_opt.results.best import read_params_file, recorded_result
from momentum_opt.results.parameters import parse_params
from momentum_opt.study.candidates import check_params
from tests.cli.damage import CONFIG, PARAMS, build
from tests.fuzz.damage import Value, damaged_bytes, damaged_document, damaged_text
from tests.market.importing.sources import TEXTS, bars, tables
from tests.market.price_files import DAY_MS, FIRST_MS, MINUTE_MS, load

SECONDS = float(os.environ.get("MOMENTUM_OPT_FUZZ_SECONDS", "0"))
ROUNDS = 4
"""Rounds of every target, whatever the time."""

ROUND = settings(
    max_examples=50,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

Target = Callable[[], None]
_targets: list[Target] = []


def target(*strategies: Any) -> Callable[[Callable[..., None]], Target]:
    """Register a property; its test runs rounds of examples until its share of the time is used."""

    def register(check: Callable[..., None]) -> Target:
        _targets.append(check)
        check.strategies = strategies  # type: ignore[attr-defined]
        return check

    return register


@pytest.mark.slow
@pytest.mark.parametrize("number", range(9))
def test_no_crash_and_no_wrong_acceptance(number: int):
    check = _targets[number]
    end = time.monotonic() + SECONDS / len(_targets)
    first = int(os.environ.get("MOMENTUM_OPT_FUZZ_SEED", "0"))
    for turn in itertools.count(first):
        seed(turn)(ROUND(given(*check.strategies)(check)))()  # type: ignore[attr-defined]
        if turn - first + 1 >= ROUNDS and time.monotonic() >= end:
            return


def test_every_target_is_run():
    assert len(_targets) == 9


# price files


def _hours(days: int = 6) -> dict[str, np.ndarray]:
    unix = FIRST_MS + np.arange(0, days * DAY_MS, 60 * MINUTE_MS, dtype=np.int64)
    return {"unix": unix, "close": 100.0 + np.sin(np.arange(len(unix)))}


def _parquet(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def assert_prices(folder: Path) -> None:
    """What the loader accepts is, on every bar of the grid, the last close of the file at or before it."""
    try:
        market = load(folder, end=5, max_gap_minutes=600)
    except UsageError:
        return
    finally:
        check_folder(folder, ["AAA"])  # describes whatever there is
    table = pq.read_table(folder / "AAA_USD.parquet").to_pandas().reset_index()
    assert (np.isfinite(market.prices) & (market.prices > 0)).all()
    assert 1440 % market.bar_minutes == 0
    times = market.times_ms
    assert (times[0], times[-1]) == (FIRST_MS + DAY_MS, FIRST_MS + 5 * DAY_MS - market.bar_minutes * MINUTE_MS)
    series = pd.Series(table["close"].to_numpy(), index=table["unix"].to_numpy())
    used = series[(series.index >= times[0] - 600 * MINUTE_MS) & (series.index < FIRST_MS + 5 * DAY_MS)]
    assert used.index.is_monotonic_increasing
    assert used.index.is_unique
    wanted = used.reindex(times, method="ffill").to_numpy()
    np.testing.assert_array_equal(market.prices[:, 0], wanted)


_SOUND_FILE = _parquet(_hours(), row_group_size=50)


@target(damaged_bytes(_SOUND_FILE))
def _bytes_of_price_files(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "AAA_USD.parquet").write_bytes(content)
        assert_prices(Path(name))


_ODD_TIME = st.integers(-3, 150).map(lambda hour: FIRST_MS + hour * 60 * MINUTE_MS) | st.integers(-(2**63), 2**63 - 1)
_ODD_CLOSE = st.floats() | st.none()


@target(
    st.lists(st.tuples(st.integers(0, 143), st.integers(0, 2), _ODD_TIME, _ODD_CLOSE), max_size=4),
    st.booleans(),
    st.sampled_from([1, 7, 1000]),
)
def _rows_of_price_files(changes: list[tuple[int, int, int, float | None]], statistics: bool, group: int) -> None:
    columns = {name: column.tolist() for name, column in _hours().items()}
    for row, what, time_ms, close in changes:
        if what == 0:
            columns["unix"][row % len(columns["unix"])] = time_ms
        elif what == 1:
            columns["close"][row % len(columns["close"])] = close
        else:
            for column in columns.values():
                del column[row % len(column)]
    with tempfile.TemporaryDirectory() as name:
        typed = {"unix": pa.array(columns["unix"], pa.int64()), "close": pa.array(columns["close"], pa.float64())}
        content = _parquet(typed, row_group_size=group, write_statistics=statistics)
        (Path(name) / "AAA_USD.parquet").write_bytes(content)
        assert_prices(Path(name))


# configurations


def assert_configuration(text: str) -> None:
    """What is accepted can be written down, read again and means the same."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "config.yaml"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            fingerprint = load_fingerprint(path)
        except UsageError:
            return
    again = Fingerprint.from_dict(json.loads(json.dumps(fingerprint.to_dict(), allow_nan=False)))
    assert again.digest == fingerprint.digest
    n, window = fingerprint.n_assets, fingerprint.window
    assert 2 <= n <= 8
    assert window.start < window.end
    assert 0 < fingerprint.pool.minimum_weight <= 1 / n
    assert 1440 % fingerprint.pool.chunk_period == 0 or fingerprint.pool.chunk_period % 1440 == 0


@target(damaged_text(CONFIG))
def _texts_of_configurations(text: str) -> None:
    assert_configuration(text)


@target(damaged_document(yaml.safe_load(CONFIG) | {"costs": {"fees": 0.001}, "objective": {"windows": 2}}))
def _values_of_configurations(document: Any) -> None:
    assert_configuration(yaml.dump(document, allow_unicode=True))


# results


def _site() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="momentum-opt-fuzz-"))
    return build(folder).folder


class _Best:
    """A sound best.json and its fingerprint, built when first asked for."""

    folder: Path | None = None

    @classmethod
    def path(cls) -> Path:
        if cls.folder is None:
            cls.folder = _site()
        return cls.folder / "best.json"


@pytest.fixture(scope="module", autouse=True)
def _clean_up() -> Any:
    yield
    if _Best.folder is not None:
        shutil.rmtree(_Best.folder)


def assert_result(content: str) -> None:
    """What is accepted has finite parameters for every token, and a fingerprint that repeats."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "best.json"
        path.write_text(content, encoding="utf-8", errors="replace")
        try:
            document = read_params_file(path)
            fingerprint = Fingerprint.from_dict(document["fingerprint"]) if "fingerprint" in document else None
            fingerprint = fingerprint or load_fingerprint(_Best.path().with_name("config.yaml"))
            recorded = recorded_result(document, path)
            params = parse_params(document["params"], {"initial_weights_logits": np.ones(3)}, fingerprint, str(path))
        except UsageError:
            return
    assert all(np.isfinite(values).all() for values in params.values())
    check_params(params, fingerprint)
    assert recorded is None or sorted(file.token for file in recorded.files) == list(fingerprint.tokens)


@target(st.deferred(lambda: damaged_text(_Best.path().read_text())))
def _texts_of_results(text: str) -> None:
    assert_result(text)


@target(st.deferred(lambda: damaged_document(json.loads(_Best.path().read_text()))))
def _values_of_results(document: Any) -> None:
    assert_result(json.dumps(document))


@target(
    st.dictionaries(
        st.sampled_from(["log_k", "k", "absolute_k", "logit_lamb", "k_per_day", "memory_days", "initial_weights", "x"]),
        Value | st.dictionaries(st.sampled_from(["AAA", "BBB", "CCC", "X"]), Value) | st.just(PARAMS["log_k"]),
        max_size=4,
    )
)
def _params_files(params: dict[str, Any]) -> None:
    assert_result(json.dumps({"params": params}))


# exports of exchanges


def assert_import(path: Path, **options: Any) -> None:
    """What is accepted is a sound price file, and holds only closes that stand in the source."""
    out = path.parent / "out"
    try:
        report = import_prices(ImportRequest(sources=(str(path),), token="BTC", out=out, **options))
    except UsageError:
        assert not out.exists()
        return
    table = pq.read_table(report.path).to_pandas()
    unix, close = table["unix"].to_numpy(), table["close"].to_numpy()
    assert (np.diff(unix) > 0).all()
    assert (np.isfinite(close) & (close > 0)).all()
    assert 1440 % report.bar_minutes == 0
    assert (unix % (report.bar_minutes * MINUTE_MS) == 0).all()
    if path.suffix == ".csv":
        assert set(close) <= _numbers_in(path)
    market = check_folder(out, ["BTC"], burn_in_days=0, max_gap_minutes=10**9)
    assert all("no whole day" in line or "too few" in line or "only; " in line for line in market.problems)


def _numbers_in(path: Path) -> set[float]:
    """Every number in any column of any row, read by Python alone."""
    numbers: set[float] = set()
    text = path.read_text(encoding="utf-8-sig")
    for delimiter in ",;\t|":
        for row in csv.reader(text.splitlines(), delimiter=delimiter):
            for field in row:
                try:
                    numbers.add(float(field.replace(",", ".")))
                except ValueError:
                    continue
    return numbers


_EXPORTS = {name: make(bars(40)) for name, make in TEXTS.items()}
_COLUMNS = st.none() | st.builds(Columns, st.sampled_from(["1", "time", "unix"]), st.sampled_from(["5", "close", "2"]))


@target(st.sampled_from(sorted(_EXPORTS)).flatmap(lambda name: damaged_text(_EXPORTS[name])), _COLUMNS)
def _texts_of_exports(text: str, columns: Columns | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "export.csv"
        path.write_bytes(text.encode(errors="replace"))
        assert_import(path, columns=columns)


def _table_contents() -> list[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as name:
        return [(path.suffix, path.read_bytes()) for path in tables(bars(40), Path(name)).values()]


_TABLES = _table_contents()


@target(st.sampled_from(_TABLES).flatmap(lambda one: st.tuples(st.just(one[0]), damaged_bytes(one[1]))))
def _bytes_of_tables(given_table: tuple[str, bytes]) -> None:
    suffix, content = given_table
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"table{suffix}"
        path.write_bytes(content)
        assert_import(path)
