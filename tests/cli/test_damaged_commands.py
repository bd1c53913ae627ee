"""Values of options that cannot do what they ask for: one line with the remedy, exit code 2, nothing written."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from momentum_opt.caching import CacheWarning
from momentum_opt.cli.app import main
from momentum_opt.cli.surroundings import REFUSED, explained
from tests.cli.damage import FIRST_MS, HOUR_MS, Site
from tests.cli.test_damaged_inputs import assert_refused, site, sound
from tests.market.importing.sources import bars, kraken

__all__ = ["site", "sound"]

IMPORT = ("data", "import", "--out", "prices")
DAYS = ("--start", "2023-01-01", "--end", "2023-01-03")


def folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rehearse",), "neither --params nor --deployment; give one of --params and --deployment$"),
        (
            ("rehearse", "--params", "best.json", "--deployment", "best.json"),
            "both --params and --deployment; give one",
        ),
        ((*IMPORT, "x.csv", "--token", "X", "--columns", "close"), "--columns close: not columns; write time=NAME"),
        (
            ("data", "sample", "--out", "new", "--volatility", "0"),
            "--volatility 0.0: out of range; give what meets 0 <",
        ),
        (
            ("data", "sample", "--out", "new", "--regimes", "up"),
            "--regimes up: out of range; give what meets regimes out",
        ),
        (("data", "sample", "--out", "new", "--bar", "7"), "--bar 7: out of range; give what meets bar divides 1440"),
        (("rehearse", "--params", "best.json", "--delay", "9d"), "; "),
        (
            ("rehearse", "--params", "best.json", "--delay", "25h"),
            "does not lie from 0 to below .*; give a shorter one",
        ),
        ((*IMPORT, "--token", "X"), "no SOURCE; name files or folders"),
        ((*IMPORT, "--token", "X", "--constant", "1"), "--constant: no days are given; give --start and --end"),
        ((*IMPORT, "--token", "X", "--constant", "1e-40", *DAYS), "1e-40: not a price; give a number above 0, from"),
        ((*IMPORT, "--token", "X", "--constant", "1e40", *DAYS), r"1e\+40: not a price; give a number above 0, from"),
    ],
)
def test_options(site: Site, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    assert_refused(site, "", said, capsys, *arguments)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "table.json"])
@pytest.mark.parametrize("column", ["time", "close"])
def test_rows_chosen_by_what_is_read(site: Site, name: str, column: str, capsys: pytest.CaptureFixture[str]):
    """A number of these columns was no text to compare, and the file was said to be unreadable."""
    rows = [(FIRST_MS + hour * HOUR_MS, 1.5 + hour) for hour in range(10)]
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"time": [time for time, _ in rows], "close": [close for _, close in rows]}), name)
    elif name.endswith(".json"):
        Path(name).write_text("[" + ",".join(f'{{"time": {time}, "close": {close}}}' for time, close in rows) + "]")
    else:
        Path(name).write_text("time,close\n" + "".join(f"{time},{close}\n" for time, close in rows))
    said = f"--where {column}=1.5: this column is read as time, close or volume; choose rows by another column"
    assert_refused(site, "", said, capsys, *IMPORT, name, "--token", "X", "--where", f"{column}=1.5")


@pytest.mark.parametrize(
    ("there", "given", "said"),
    [(60, 1, "holds bars of 60 minutes, .* has 1; give --bar 60 or another --out$"),
     (1, 60, "holds bars of 1 minute, .* has 60; give another --out$")],
)  # fmt: skip
def test_bars_of_another_length(site: Site, there: int, given: int, said: str, capsys: pytest.CaptureFixture[str]):
    """Hours are not advised to be taken for minutes with most of them missing."""
    for name, minutes in (("there.csv", there), ("given.csv", given)):
        Path(name).write_text(kraken(bars(50, bar_minutes=minutes)))
    with pytest.raises(SystemExit) as ended:
        main([*IMPORT, "there.csv", "--token", "X"])
    assert ended.value.code == 0
    capsys.readouterr()
    assert_refused(site, "X_USD.parquet", said, capsys, *IMPORT, "given.csv", "--token", "X")


@pytest.mark.parametrize(("damage", "said"), [(folder, "a folder, not a file; "), (link, "a link to nowhere, .*; ")])
def test_a_fingerprint_to_import(
    site: Site,
    damage: Callable[[Path], None],
    said: str,
    capsys: pytest.CaptureFixture[str],
):
    damage(site.folder / "incumbent.json")
    assert_refused(site, "incumbent.json", said, capsys, "config", "import", "incumbent.json")


def test_data_check_says_that_two_tokens_have_the_same_prices(site: Site, capsys: pytest.CaptureFixture[str]):
    """As every command that runs on them does."""
    site.prices("BBB").write_bytes(site.prices("AAA").read_bytes())
    with pytest.raises(SystemExit) as ended:
        main(["data", "check", "prices"])
    assert ended.value.code == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "the same closes as" in line]
    assert [line.split()[0] + line.split()[-1] for line in told] == ["AAA:BBB", "BBB:AAA"]


def test_a_warning_that_the_environment_makes_an_error_of():
    line, code = explained(CacheWarning("no cache; name one")) or ("", 0)
    assert (line, code) == (
        "CacheWarning: no cache; name one; unset PYTHONWARNINGS, which makes errors of warnings", REFUSED,
    )  # fmt: skip


def test_more_workers_than_a_machine_can_hold(site: Site, capsys: pytest.CaptureFixture[str]):
    """A digit too many would start processes until the machine stands still."""
    with pytest.raises(SystemExit) as ended:
        main(["tune", str(site.config), "--workers", "9" * 12, "--run-dir", "new"])
    assert ended.value.code == 2
    assert "--workers" in capsys.readouterr().err
    assert not Path("new").exists()
