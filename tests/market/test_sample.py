"""The synthetic sample: reproducible, plausible, plainly marked, and careful with other people's files."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

from momentum_opt.cli.data import data_app
from momentum_opt.errors import DataError, UsageError
from momentum_opt.market import Recipe, load_market, synthetic, write_sample
from momentum_opt.market.synthetic import synthetic_closes
from tests.market.price_files import times, write

COMMITTED = Path(__file__).resolve().parents[2] / "data" / "sample"
TOKENS = ["SYNA", "SYNB", "SYNUSD"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_sample_in_the_repository_is_what_seed_0_gives(tmp_path):
    write_sample(tmp_path)
    assert sorted(contents(tmp_path)) == sorted(contents(COMMITTED))
    for token in TOKENS:
        made, kept = (pq.read_table(folder / f"{token}_USD.parquet") for folder in (tmp_path, COMMITTED))
        assert made.equals(kept)
    assert (tmp_path / "README.md").read_text() == (COMMITTED / "README.md").read_text()


def test_the_sample_in_the_repository_is_small_and_whole():
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) < 5e6
    market = load_market(COMMITTED, TOKENS, start=date(2023, 7, 1), end=date(2024, 2, 5), burn_in_days=365)
    assert market.burn_in_days == 181
    assert [file.filled_minutes for file in market.files] == [0, 0, 0]


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        write_sample(tmp_path / name, Recipe(seed=seed, days=2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    for token in TOKENS:
        name = f"{token}_USD.parquet"
        assert contents(tmp_path / "one")[name] != contents(tmp_path / "other")[name]


@pytest.mark.parametrize("seed", range(6))
def test_prices_are_plausible(seed):
    closes = synthetic_closes(Recipe(seed))
    for token in ("SYNA", "SYNB"):
        close = closes[token]
        assert 0.2 < close[-1] / close[0] < 5
        assert close.max() / close.min() < 15
        daily = np.diff(np.log(close[::1440]))
        assert 0.3 < daily.std() * np.sqrt(365) < 1.2
        minute = np.diff(np.log(close))
        assert np.mean(minute**4) / np.mean(minute**2) ** 2 > 5  # fat tails: 3 would be a normal distribution
        assert np.abs(minute).max() < 0.2
    assert 0.98 < closes["SYNUSD"].min() < closes["SYNUSD"].max() < 1.02
    a, b = (np.diff(np.log(closes[token][::1440])) for token in ("SYNA", "SYNB"))
    assert 0.6 < np.corrcoef(a, b)[0, 1] < 0.97


def test_shocks_are_student_t_with_unit_variance():
    uniforms = np.random.Generator(np.random.PCG64(5)).random(10_000) + 2.0**-54
    shocks = synthetic._shocks(np.random.Generator(np.random.PCG64(5)), 10_000)
    np.testing.assert_allclose(shocks, stats.t(4).ppf(uniforms) / np.sqrt(2.0), rtol=1e-8, atol=1e-6)


def test_prices_are_rounded_to_their_decimals():
    for token, decimals in (("SYNA", 0), ("SYNB", 1), ("SYNUSD", 4)):
        close = synthetic_closes(Recipe(1, 3))[token]
        assert [float(f"{price:.{decimals}f}") for price in close] == close.tolist()


def test_files_say_that_they_are_synthetic(tmp_path):
    paths = write_sample(tmp_path, Recipe(seed=7, days=60))
    assert [path.name for path in paths] == ["README.md", *(f"{token}_USD.parquet" for token in TOKENS)]
    assert "SYNTHETIC" in paths[0].read_text().splitlines()[0]
    for path in paths[1:]:
        file = pq.ParquetFile(path)
        about = json.loads(file.schema_arrow.metadata[b"momentum_opt_sample"])
        assert about == {"synthetic": True, "generator_version": 1, "seed": 7, "days": 60}
        assert file.num_row_groups == 2
        assert "DELTA_BINARY_PACKED" in file.metadata.row_group(0).column(0).encodings


def test_identical_files_are_not_touched(tmp_path):
    before = {path: path.stat().st_mtime_ns for path in write_sample(tmp_path, Recipe(days=1))}
    assert {path: path.stat().st_mtime_ns for path in write_sample(tmp_path, Recipe(days=1))} == before


def test_an_earlier_sample_is_replaced(tmp_path):
    write_sample(tmp_path, Recipe(days=1))
    write_sample(tmp_path, Recipe(days=2))
    assert pq.read_metadata(tmp_path / "SYNA_USD.parquet").num_rows == 2 * 1440
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["SYNB_USD.parquet", "README.md"])
def test_other_peoples_files_are_refused_before_anything_is_written(tmp_path, name):
    if name == "README.md":
        (tmp_path / name).write_text("# Mine\n")
    else:
        write(tmp_path, "SYNB", times())
    before = contents(tmp_path)
    with pytest.raises(DataError, match=rf"{name}: already there and not part of a synthetic sample; .* --force"):
        write_sample(tmp_path, Recipe(days=1))
    assert contents(tmp_path) == before
    write_sample(tmp_path, Recipe(days=1), force=True)
    write_sample(tmp_path / "fresh", Recipe(days=1))
    assert contents(tmp_path / "fresh").items() <= {p.name: p.read_bytes() for p in tmp_path.glob("*.*")}.items()


def test_a_file_that_is_not_parquet_is_not_ours(tmp_path):
    (tmp_path / "SYNA_USD.parquet").write_text("not parquet")
    with pytest.raises(DataError, match=r"SYNA_USD\.parquet: already there"):
        write_sample(tmp_path, Recipe(days=1))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written .* name another folder"):
        write_sample(tmp_path / "file", Recipe(days=1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "seed >= 0"),
        ({"days": 0}, "1 <= days <= 3650"),
        ({"days": 3651}, "1 <= days <= 3650"),
        ({"tokens": 1}, "2 <= tokens <= 8"),
        ({"tokens": 9}, "2 <= tokens <= 8"),
        ({"bar_minutes": 7}, "bar divides 1440"),
        ({"bar_minutes": 0}, "bar divides 1440"),
        ({"volatility": 0.0}, "0 < volatility <= 10"),
        ({"volatility": float("nan")}, "0 < volatility <= 10"),
        ({"regimes": ()}, "regimes out of rising, falling"),
        ({"regimes": ("up",)}, "regimes out of rising, falling"),
        ({"regime_days": 0.5}, "regime_days >= 1"),
    ],
)
def test_arguments(tmp_path, options, said):
    with pytest.raises(UsageError, match=said):
        write_sample(tmp_path, Recipe(**options))
    assert not list(tmp_path.iterdir())


def test_bars_are_the_last_closes_of_the_minutes_in_them(tmp_path):
    write_sample(tmp_path / "minutes", Recipe(seed=3, days=4))
    write_sample(tmp_path / "bars", Recipe(seed=3, days=4, bar_minutes=15))
    for token in TOKENS:
        minutes, bars = (pd.read_parquet(tmp_path / kind / f"{token}_USD.parquet") for kind in ("minutes", "bars"))
        grouped = minutes.groupby(minutes["unix"] // 900_000 * 900_000)["close"].last()
        assert bars["unix"].tolist() == grouped.index.tolist()
        assert bars["close"].tolist() == grouped.tolist()
    (about,) = {pq.read_schema(path).metadata[b"momentum_opt_sample"] for path in (tmp_path / "bars").glob("*.parquet")}
    assert json.loads(about)["bar_minutes"] == 15
    text = (tmp_path / "bars" / "README.md").read_text()
    assert "Closes of 15 minutes" in text
    assert "data sample --seed 3 --days 4 --bar 15 --out FOLDER" in text


def test_more_tokens_leave_the_first_ones_as_they_are():
    few, many = synthetic_closes(Recipe(2, 20)), synthetic_closes(Recipe(2, 20, tokens=8))
    assert list(many) == ["SYNA", "SYNB", "SYNC", "SYND", "SYNE", "SYNF", "SYNG", "SYNUSD"]
    for token in ("SYNA", "SYNB"):
        np.testing.assert_array_equal(few[token], many[token])
    assert all((close > 0).all() for close in many.values())


def test_volatility_scales_the_moves():
    calm, wild = (synthetic_closes(Recipe(2, 100, volatility=factor))["SYNA"] for factor in (0.5, 2.0))
    ratio = np.diff(np.log(wild)).std() / np.diff(np.log(calm)).std()
    assert ratio == pytest.approx(4.0, rel=0.15)  # prices are rounded, which the calm ones feel


def test_regimes_decide_where_the_market_goes():
    def drift(*regimes):
        closes = synthetic_closes(Recipe(1, 60, regimes=regimes, volatility=0.1))["SYNA"]
        return float(np.log(closes[-1] / closes[0]))

    assert drift("falling") < -0.1 < 0.1 < drift("rising")
    assert drift("falling") < drift("quiet") < drift("rising")


def test_command_prints_paths_and_sizes(tmp_path):
    result = CliRunner().invoke(data_app, ["sample", "--out", str(tmp_path / "new"), "--days", "1", "--seed", "5"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    for line, path in zip(lines, sorted((tmp_path / "new").iterdir()), strict=True):
        assert line == f"{path}  {path.stat().st_size:,} bytes"


def test_command_prints_one_json_document(tmp_path):
    result = CliRunner().invoke(data_app, ["sample", "--out", str(tmp_path), "--days", "1", "--json"])
    document = json.loads(result.stdout)
    assert (document["schema_version"], document["seed"], document["days"], document["synthetic"]) == (1, 0, 1, True)
    assert [Path(file["path"]) for file in document["files"]] == sorted(tmp_path.iterdir())


def test_command_raises_our_errors(tmp_path):
    (tmp_path / "README.md").write_text("# Mine\n")
    result = CliRunner().invoke(data_app, ["sample", "--out", str(tmp_path), "--days", "1"])
    assert isinstance(result.exception, DataError)
    assert result.stdout == ""
    assert CliRunner().invoke(data_app, ["sample", "--out", str(tmp_path), "--days", "1", "--force"]).exit_code == 0


def test_command_help_needs_no_heavy_module():
    result = CliRunner().invoke(data_app, ["sample", "--help"])
    assert result.exit_code == 0
    assert "--seed" in result.stdout
