"""What every command that runs on prices says of them: filled minutes, jumps, like tokens, and how old they are."""

import json
import re
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.api.tuned_pool import newest_note
from momentum_opt.cli.app import main
from momentum_opt.market import NewestBar, Oddities, load_market
from momentum_opt.market.oddities import find_oddities
from momentum_opt.market.wording import age
from momentum_opt.results.price_notes import price_notes
from momentum_opt.results.report.tables import data_table
from momentum_opt.results.run_folder import prices_record
from tests.cli.damage import Site, build, table
from tests.sample_runs import LITTLE_EVIDENCE

MINUTE = 60_000
FILLED = r"note: prices of AAA: 600 of \d\d,\d{3} minutes \(\d\.\d %\) hold an earlier close, longest gap 600 minutes"
JUMPED = r"note: prices of BBB: 1 jump over 20 % in one bar, the largest \+\d{3},\d{3}\.\d % at 2023-01-09 04:00 UTC"
ADDRESSES = "".join(f"{3 * chr(65 + place)}: '0x{place + 1:040x}'\n" for place in range(3))


def jumped(columns: dict[str, np.ndarray]) -> None:
    columns["close"][196:] *= 1000


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A token with a gap, one that jumps a thousandfold, and one with the first one's file."""
    site = build(tmp_path_factory.mktemp("odd"))
    table(lambda c: {name: np.delete(values, np.s_[150:160]) for name, values in c.items()})(site.prices("AAA"))
    table(jumped)(site.prices("BBB"))
    shutil.copy(site.prices("AAA"), site.prices("CCC"))
    (site.folder / "addresses.yaml").write_text(ADDRESSES)
    return site


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    assert caught.value.code in (0, 1), captured.err
    return captured.err


def assert_said(stderr: str) -> None:
    notes = [line for line in stderr.splitlines() if line.startswith("note: prices of ")]
    assert len(notes) == 3, stderr
    assert re.match(FILLED, notes[0])
    assert notes[0].endswith("; the same closes as CCC")
    assert re.fullmatch(JUMPED, notes[1])
    assert notes[2].startswith("note: prices of CCC: 600 of ")
    assert notes[2].endswith("; the same closes as AAA")


def test_every_command_says_it(odd: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    run, few = tmp_path / "run", ("--set", "search.n_trials=4", *LITTLE_EVIDENCE)
    assert_said(said(capsys, "tune", odd.config, *few, "--run-dir", run))
    assert_said(said(capsys, "tune", odd.config, *few, "--run-dir", run, "--json"))  # finished already
    assert "the same closes as CCC" in (run / "report.html").read_text()
    best = json.loads((run / "best.json").read_text())
    (_, jumping, _) = best["data"]["files"]
    assert jumping["jumps"]["count"] == 1
    assert jumping["jumps"]["time"] == "2023-01-09T04:00:00Z"
    assert [file["longest_gap_minutes"] for file in best["data"]["files"]] == [600, 0, 600]
    params = ("--params", run / "best.json")
    assert_said(said(capsys, "backtest", *params, "--json"))
    assert_said(said(capsys, "trials", run, "export", str(best["trial"]), "--out", tmp_path / "trial.json"))
    assert_said(said(capsys, "weights", *params, "--at", "2023-01-20"))
    assert_said(said(capsys, "rehearse", *params, "--tolerance", "1", "--json"))
    export = ("export", *params, "--addresses", odd.folder / "addresses.yaml", "--out", tmp_path / "deployment.json")
    assert_said(said(capsys, *export, "--at", "2023-01-20", "--accept-verdict"))


def test_a_walk_forward_says_it_once(odd: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    folds = ("walk_forward.train_days=6", "walk_forward.test_days=4", "window.test_end=null", "search.n_trials=4")
    settings = [one for key in (*folds, "window.validation_fraction=0") for one in ("--set", key)]
    assert_said(said(capsys, "walk-forward", odd.config, *settings, *LITTLE_EVIDENCE, "--run-dir", tmp_path / "walk"))


def test_sound_prices_are_passed_over(tmp_path: Path):
    site = build(tmp_path)
    days = {"start": date(2023, 1, 4), "end": date(2023, 1, 8), "burn_in_days": 2}
    market = load_market(site.prices().parent, ["AAA", "BBB"], **days)
    assert market.oddities == (Oddities(), Oddities())
    assert price_notes(prices_record(market)) == []
    assert "jump" not in data_table(prices_record(market)).note


def test_an_older_record_tells_less():
    file = {"token": "AAA", "rows": 90, "filled_minutes": 10}
    assert price_notes({"files": [file], "bar_minutes": 1}) == [
        "prices of AAA: 10 of 100 minutes (10.0 %) hold an earlier close"
    ]


@pytest.mark.parametrize("rows", [2, 65_536, 65_537, 150_000])
def test_oddities_against_a_plain_loop(rows: int):
    random = np.random.default_rng(rows)
    closes = np.exp(np.cumsum(random.normal(0, 0.05 if rows < 100 else 1e-3, (rows, 4)), axis=0))
    for asset, at in ((0, rows // 2), (1, rows - 1), (1, 1), (2, min(65_536, rows - 1))):
        closes[at:, asset] *= 0.4 if asset == 1 else 3.0
    closes[:, 3] = closes[:, 2]
    closes[: rows // 200, 3] *= 1.01
    times = np.arange(rows) * MINUTE
    found = find_oddities(("A", "B", "C", "D"), closes, times)
    for asset, one in enumerate(found):
        change = closes[1:, asset] / closes[:-1, asset] - 1
        jumps = np.flatnonzero(np.abs(change) > 0.2)
        assert one.jumps == len(jumps)
        largest = jumps[np.abs(change[jumps]).argmax()]
        assert (one.largest, one.at_ms) == (change[largest], times[largest + 1])
    assert [one.same_closes for one in found] == [(), (), ("D",), ("C",)]
    assert find_oddities(("A", "B"), closes[:1, :2], times[:1])[0].jumps == 0


def test_weights_for_a_time_without_prices_are_refused(odd: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    refused = r"error: --at: the update at {} needs prices up to then, but those in \S+ end 2023-01-20 23:00 UTC, {}"
    for at, update, before in (
        ("2030-01-01", "2030-01-01 00:00 UTC", "2,537 days"),
        ("2023-01-21T05:00Z", "2023-01-21 00:00 UTC", "a minute|60 minutes"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["weights", "--params", str(odd.best), "--at", at, "--state", str(tmp_path / "state.json")])
        captured = capsys.readouterr()
        assert caught.value.code == 2
        assert captured.out == ""
        assert re.match(refused.format(update, f"({before})"), captured.err), captured.err
        assert captured.err.endswith("; give newer ones with --data, or an earlier time\n")
    assert list(tmp_path.iterdir()) == []


def test_the_newest_price_and_its_age_are_said(odd: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    params = ("--params", odd.best)
    note = r"^note: newest price 2023-01-20 23:00 UTC, [\d,]+ days old; [\d,]+ updates due since then: give newer "
    assert re.search(note, said(capsys, "weights", *params), re.M)
    addresses = ("--addresses", odd.folder / "addresses.yaml", "--out", tmp_path / "deployment.json")
    assert re.search(note, said(capsys, "export", *params, *addresses), re.M)
    assert re.search(note, said(capsys, "rehearse", *params, "--start", "2023-01-10", "--tolerance", "1"), re.M)
    for given in (("weights", *params, "--at", "2023-01-20"), ("rehearse", *params, "--tolerance", "1")):
        assert "newest price" not in said(capsys, *given)


def test_ages(monkeypatch: pytest.MonkeyPatch):
    sizes = (
        0,
        MINUTE,
        2 * MINUTE,
        119 * MINUTE,
        120 * MINUTE,
        47 * 60 * MINUTE,
        48 * 60 * MINUTE,
        2000 * 1440 * MINUTE,
    )
    words = (
        "less than a minute",
        "a minute",
        "2 minutes",
        "119 minutes",
        "2 hours",
        "47 hours",
        "2 days",
        "2,000 days",
    )
    assert [age(size) for size in sizes] == [*words]
    assert age(2000 * 1440 * MINUTE) == "2,000 days"
    monkeypatch.setattr("momentum_opt.api.tuned_pool.time.time", lambda: 600.0)
    newest = NewestBar(590_000, 1)
    assert newest_note(newest, 60_000) == "newest price 1970-01-01 00:09:50.000 UTC, less than a minute old"
    assert newest_note(newest, 10_000).endswith("; 1 update due since then: give newer prices with --data")
    assert newest_note(NewestBar(700_000, 1), 10_000).endswith("less than a minute old")
