"""`config new`: a commented configuration that passes the check, chosen by what the price files cover."""

import re
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from momentum_opt.api.prices import market_of
from momentum_opt.cli.app import main
from momentum_opt.fingerprint import Fingerprint, check_bar, load_fingerprint
from momentum_opt.market import Recipe, write_sample
from tests.sample_runs import ROOT, SAMPLE, TOKENS

SECTIONS = " ".join((ROOT / "momentum_opt" / "fingerprint" / "sections.py").read_text().split())


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days of five tokens on hours; one of them begins ten days later and ends five days sooner."""
    folder = tmp_path_factory.mktemp("hourly")
    write_sample(folder, Recipe(days=60, tokens=5, bar_minutes=60))
    short = sorted(folder.glob("*.parquet"))[1]
    pd.read_parquet(short).iloc[10 * 24 : -5 * 24].to_parquet(short, index=False)
    return folder


def test_it_passes_the_check_and_means_what_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "mine.yaml"
    assert run("config", "new", "--data", SAMPLE, "--out", out) == 0
    shown = capsys.readouterr()
    assert shown.out == f"configuration: {out}\n"
    assert run("config", "check", out) == 0
    fingerprint = load_fingerprint(out)
    assert fingerprint.tokens == TOKENS
    # 400 days from 2023-01-01: a quarter is history, a fifth of the other 300 is tested on.
    window = fingerprint.window
    assert [window.start, window.end, window.test_end] == [date(2023, 4, 11), date(2023, 12, 7), date(2024, 2, 5)]
    assert fingerprint.pool.max_memory_days == 100
    assert "window chosen: 2023-04-11 to 2023-12-07 (192 days train, 48 validate), test to 2024-02-05" in shown.err
    plain = Fingerprint.from_dict(
        {
            "tokens": list(TOKENS),
            "startDateString": "2023-04-11",
            "endDateString": "2023-12-07",
            "endTestDateString": "2024-02-05",
            "max_memory_days": 100,
        }
    )
    assert plain.digest == fingerprint.digest


def test_to_stdout_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    texts = []
    for more in ((), ("--out", "-")):
        assert run("config", "new", "--data", "data/sample", *more) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "\n  root: data/sample\n" in texts[0]
    assert not (ROOT / "-").exists()
    out = tmp_path / "deep" / "mine.yaml"
    out.parent.mkdir()
    assert run("config", "new", "--data", "data/sample", "--out", out) == 0
    assert load_fingerprint(out).data.root == SAMPLE


def test_comments_are_the_help_texts_and_what_they_hide_can_be_used(tmp_path: Path):
    out = tmp_path / "mine.yaml"
    assert run("config", "new", "--data", SAMPLE, "--window", "2023-05-01:2023-12-01", "--out", out) == 0
    lines = out.read_text().splitlines()
    hidden = re.compile(r"^( *)# ( *)([a-z_]+:( |$).*)$")
    prose = "\n".join("" if not line.lstrip().startswith("#") or hidden.match(line) else line for line in lines[5:])
    texts = [" ".join(re.sub(r"^ *(# *)+", "", block, flags=re.M).split()) for block in re.split(r"\n\n+", prose)]
    for text in filter(None, texts):
        text = re.sub(r" One of .*$", "", text)
        text = re.sub(r" \([a-z ]+\)\.$", ".", text)
        assert text in SECTIONS or text.startswith("Ranges of the search"), text
    assert len(texts) > 20
    shown = [hidden.sub(r"\1\2\3", line) for line in lines]
    assert sum(before != after for before, after in zip(lines, shown, strict=True)) == 10
    path = tmp_path / "all.yaml"
    path.write_text("\n".join(shown))
    whole = load_fingerprint(path)
    assert set(whole.search.parameters) == {"log_k", "logit_lamb"}
    assert whole.walk_forward is not None
    assert whole.window.test_end == date(2024, 2, 5)
    assert whole.pool.minimum_weight == load_fingerprint(out).pool.minimum_weight


def test_hours_and_tokens_that_begin_late(hourly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "mine.yaml"
    assert run("config", "new", "--data", hourly, "--out", out) == 0
    fingerprint = load_fingerprint(out)
    assert len(fingerprint.tokens) == 5
    assert fingerprint.costs.arb_frequency == 60
    check_bar(fingerprint, 60)
    # 45 days that all have: 11 of history, 7 of the other 34 for the test.
    first = date(2023, 1, 11)
    window = fingerprint.window
    days = [first + timedelta(days=days) for days in (11, 38, 45)]
    assert [window.start, window.end, window.test_end] == days
    assert market_of(fingerprint).burn_in_days == 11
    assert "max_memory_days 30: 11 days of prices before the start" in capsys.readouterr().err


@pytest.mark.parametrize("window", ["2023-01-20:2023-02-20", "2023-01-20:2023-02-20:2023-02-25"])
def test_a_window_and_tokens_that_are_named(hourly: Path, tmp_path: Path, window: str):
    names = [path.name.removesuffix("_USD.parquet") for path in sorted(hourly.glob("*.parquet"))]
    out = tmp_path / "mine.yaml"
    assert (
        run("config", "new", "--data", hourly, "--tokens", f"{names[3]},{names[0]}", "--window", window, "--out", out)
        == 0
    )
    fingerprint = load_fingerprint(out)
    assert fingerprint.tokens == (names[0], names[3])
    days = [fingerprint.window.start, fingerprint.window.end, fingerprint.window.test_end]
    assert ":".join(str(day) for day in days if day is not None) == window


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tokens", "SYNA"), "--tokens SYNA: 1 token given; list 2 to 8"),
        (("--tokens", "SYNA,,SYNB"), "--tokens SYNA,,SYNB: not a list of distinct names"),
        (("--tokens", "SYNA,SYNA"), "not a list of distinct names; write them as BTC,ETH,USDC"),
        (("--tokens", "SYNA,SYNX"), "SYNX_USD.parquet: no such file; did you mean SYN"),
        (
            ("--window", "2023-05-01"),
            "--window 2023-05-01: not two or three dates; write START:END[:TEST_END], such as",
        ),
        (("--window", "2023-05-01:soon"), "--window 2023-05-01:soon: not two or three dates"),
        (("--window", "2023-05-01:2023-06-01:2023-07-01:2023-08-01"), "not two or three dates"),
        (
            ("--window", "2022-05-01:2023-06-01"),
            "--window 2022-05-01:2023-06-01: outside the prices, which SYNA, SYNB, SYNUSD all have from 2023-01-01 to "
            "2024-02-05 (exclusive; ",
        ),
        (("--window", "2023-05-01:2023-12-01:2024-02-06"), "outside the prices"),
        (("--window", "2023-06-01:2023-05-01"), "--window 2023-06-01:2023-05-01: window.end: not after window.start"),
        (("--window", "2023-05-01:2023-05-09"), "--window 2023-05-01:2023-05-09: window.validation_fraction: leaves 2"),
        (("--window", "2023-05-01:2023-06-01:2023-06-02"), "window.test_end: leaves 1 days to the test"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(
    tmp_path: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
):
    assert run("config", "new", "--data", SAMPLE, *arguments, "--out", tmp_path / "mine.yaml") == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""
    assert not list(tmp_path.iterdir())


def test_folders_that_leave_nothing_to_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def refused(folder: Path, *more: str) -> str:
        assert run("config", "new", "--data", folder, *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "holds no price file at all" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "none")
    write_sample(tmp_path, Recipe(days=20, tokens=8, bar_minutes=60))
    assert "20 whole days that all files cover, too few to choose a window from; import more, or give" in refused(
        tmp_path
    )
    files = sorted(tmp_path.glob("*.parquet"))
    (tmp_path / "MORE_USD.parquet").write_bytes(files[0].read_bytes())
    line = refused(tmp_path)
    assert "prices of 9 tokens (MORE, SYNA, " in line
    assert line.endswith("and a pool holds 2 to 8; choose some with --tokens A,B")
    for file in files:
        file.unlink()
    assert "prices of MORE alone, and a pool holds 2 to 8; import another token" in refused(tmp_path)


def test_a_gap_that_a_run_would_refuse(hourly: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for file in hourly.glob("*.parquet"):
        rows = pd.read_parquet(file)
        (rows.drop(rows.index[500:600]) if "SYNA" in file.name else rows).to_parquet(tmp_path / file.name, index=False)
    assert run("config", "new", "--data", tmp_path) == 2
    shown = capsys.readouterr()
    assert "SYNA_USD.parquet" in shown.err
    assert "gap" in shown.err
    assert shown.out == ""


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "mine.yaml"
    out.write_text("mine")
    assert run("config", "new", "--data", SAMPLE, "--out", out) == 2
    assert "mine.yaml: exists already; give another name to --out, or remove it" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert run("config", "new", "--data", SAMPLE, "--out", tmp_path / "none" / "mine.yaml") == 2
    assert "cannot be written" in capsys.readouterr().err
