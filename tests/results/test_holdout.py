"""The ledger of evaluations of test periods: over folders, in parallel, whole and damaged, and from older versions."""

import hashlib
import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from momentum_opt.results.files import write_json
from momentum_opt.results.holdout import (
    UncountedLookWarning,
    count_looks,
    fold_looks,
    fold_looks_words,
    ledger_of,
    looks_words,
    note_look,
    recorded_holdout,
)
from momentum_opt.results.look_lines import LEDGER, Holdout, append_lines, holdout_between, holdout_document
from tests.sample_runs import SAMPLE, changed_prices, environment, smoke

PERIOD = Holdout(("AAA", "BBB"), "2023-04-01", "2023-05-01", "ab" * 32)
OTHER = Holdout(("AAA", "BBB"), "2023-04-02", "2023-05-01", "ab" * 32)


def run_folder(path: Path, **identity: object) -> Path:
    """A folder that counts as a run's."""
    path.mkdir(parents=True)
    write_json(path / "fingerprint.json", identity)
    return path


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "runs" / "one")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "runs" / "two")


def test_a_second_folder_counts_on(one: Path, two: Path):
    note_look(one, PERIOD, "tune", {"k": 1.0})
    assert count_looks(one, PERIOD).words() == "test period evaluated once"
    note_look(two, PERIOD, "tune", {"k": 2.0})
    note_look(two, OTHER, "tune", {"k": 2.0})
    for folder in (one, two):
        looks = count_looks(folder, PERIOD)
        assert (looks.count, looks.parameter_sets, looks.damaged) == (2, 2, 0)
        assert looks.words() == "test period evaluated 2 times, with 2 parameter sets"
        assert count_looks(folder, OTHER).count == 1
    line = json.loads((one / LEDGER).read_text())
    assert set(line) == {"schema_version", "id", "time", "command", "params", "holdout"}
    assert line["holdout"] == holdout_document(PERIOD)
    shared = ledger_of(one)
    assert shared == one.parent / LEDGER
    assert shared.read_text().splitlines()[0] == (one / LEDGER).read_text().rstrip()


@pytest.mark.parametrize("lost", ["ledger", "folder", "moved"])
def test_nothing_is_lost_with_one_of_the_files(one: Path, two: Path, tmp_path: Path, lost: str):
    note_look(one, PERIOD, "tune", {"k": 1.0})
    note_look(two, PERIOD, "tune", {"k": 2.0})
    if lost == "ledger":
        ledger_of(one).unlink()
        assert count_looks(two, PERIOD).count == 2
        note_look(two, OTHER, "backtest", {"k": 2.0})  # rebuilds it
        shutil.rmtree(one)
        assert count_looks(two, PERIOD).count == 2
    elif lost == "folder":
        shutil.rmtree(one)
        assert count_looks(two, PERIOD).count == 2
    else:
        moved = shutil.move(one, tmp_path / "archive" / "one")
        assert count_looks(Path(moved), PERIOD).count == 1  # its own


def test_a_copied_folder_is_no_evaluation(one: Path):
    note_look(one, PERIOD, "tune", {"k": 1.0})
    shutil.copytree(one, one.with_name("copy"))
    assert count_looks(one, PERIOD).count == 1


PROCESS = """
import sys
from pathlib import Path
from momentum_opt.results.holdout import note_look
from momentum_opt.results.look_lines import Holdout
folder = Path(sys.argv[1])
period = Holdout(("AAA", "BBB"), "2023-04-01", "2023-05-01", "ab" * 32)
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    note_look(folder, period, "tune", {"k": [sys.argv[2], number]})
"""


def test_processes_in_parallel_lose_none(one: Path, two: Path):
    """Four real processes on two folders, let go at once."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, folder, str(number)], env=environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for number, folder in enumerate((one, two, one, two))
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    looks = count_looks(one, PERIOD)
    assert (looks.count, looks.parameter_sets, looks.damaged) == (100, 100, 0)
    lines = ledger_of(one).read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 100


def test_the_lock_dies_with_its_process(one: Path):
    code = (
        "import fcntl, os, sys; file = open(sys.argv[1], 'ab'); fcntl.flock(file, fcntl.LOCK_EX); "
        "os.write(1, b'held'); sys.stdin.read()"
    )
    ledger = ledger_of(one)
    with subprocess.Popen(
        [sys.executable, "-c", code, ledger], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"held"
        process.kill()
    note_look(one, PERIOD, "tune", {"k": 1.0})
    assert count_looks(one, PERIOD).count == 1


@pytest.mark.parametrize("damage", [b'{"schema_version": 1, "ti', b"\xff\xfe", b"[]", b'{"params": 3}'])
@pytest.mark.parametrize("shared", [True, False])
def test_a_damaged_line_counts_and_takes_no_other_with_it(one: Path, damage: bytes, shared: bool):
    note_look(one, PERIOD, "tune", {"k": 1.0})
    path = ledger_of(one) if shared else one / LEDGER
    with path.open("ab") as file:
        file.write(damage)  # no newline: it was cut short
    note_look(one, PERIOD, "tune", {"k": 2.0})
    looks = count_looks(one, PERIOD)
    assert (looks.count, looks.parameter_sets, looks.damaged) == (3, 2, 1)
    assert looks.words().endswith(f"3 times, with 2 parameter sets (1 damaged line of {LEDGER} counted)")


def test_a_ledger_that_cannot_be_read_is_not_zero(one: Path):
    ledger_of(one).mkdir()
    looks = count_looks(one, PERIOD)
    assert looks.count is None
    assert looks.words() == f"test period evaluated: unknown ({LEDGER} cannot be read)"
    with pytest.warns(UncountedLookWarning, match=r"could not be noted \(Is a directory\); make it writable"):
        note_look(one, PERIOD, "tune", {})
    ledger_of(one).rmdir()
    assert count_looks(one, PERIOD).count == 1  # the run's own list has it
    (one / LEDGER).unlink()
    (one / LEDGER).mkdir()
    assert count_looks(one, PERIOD).count is None
    with pytest.raises(IsADirectoryError):
        note_look(one, PERIOD, "tune", {}, required=True)


def test_figures_without_a_line_were_evaluated_all_the_same(one: Path):
    assert count_looks(one, PERIOD).words() == f"test period evaluated at least once (no line of {LEDGER} tells of it)"
    assert looks_words(None).startswith("evaluations of the test period: not counted")


def old_line(params: dict[str, float], command: str = "tune") -> str:
    """A line as versions without a shared ledger wrote it."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    return json.dumps({"schema_version": 1, "time": "2025-01-01T00:00:00Z", "command": command, "params": digest})


def test_lists_of_older_versions_count_and_move_into_the_ledger(tmp_path: Path):
    """Two old runs on the same test period, of which one has lost its prices; a third one on other days."""
    prices = shutil.copytree(SAMPLE, tmp_path / "prices")
    runs = tmp_path / "runs"
    test_ends = {"here": "2023-05-20", "gone": "2023-05-20", "apart": "2023-05-19"}
    for name, test_end in test_ends.items():
        fingerprint = smoke(f"window.test_end={test_end}")
        root = tmp_path / "lost" if name == "gone" else prices
        folder = run_folder(runs / name, digest="", fingerprint=fingerprint.to_dict(), data={"root": str(root)})
        (folder / LEDGER).write_text(f"{old_line({'k': 1.0}, name)}\n" * 2)
    fingerprint = smoke("window.test_end=2023-05-20")
    assert fingerprint.window.test_end is not None
    period = holdout_between(fingerprint.tokens, fingerprint.window.end, fingerprint.window.test_end, prices)
    new = run_folder(runs / "new")
    assert count_looks(new, period).count == 4
    note_look(new, period, "tune", {"k": 5.0})
    shutil.rmtree(runs / "here")
    shutil.rmtree(runs / "gone")
    looks = count_looks(new, period)
    assert (looks.count, looks.parameter_sets, looks.damaged) == (5, 2, 0)
    changed = changed_prices(tmp_path / "changed", day="2023-05-10")
    window = fingerprint.window.end, fingerprint.window.test_end
    elsewhere = holdout_between(fingerprint.tokens, *window, changed)
    assert count_looks(new, elsewhere).count == 2  # those of the run whose prices are gone, which fit all


def test_the_name_of_a_period_is_that_of_its_own_prices(tmp_path: Path):
    """A price of the test period changes it, one before does not; nor does the order of the tokens."""
    days = date(2023, 5, 1), date(2023, 5, 11)
    own = holdout_between(("SYNA", "SYNB"), *days, SAMPLE)
    assert own == holdout_between(("SYNB", "SYNA"), *days, SAMPLE)
    assert own == holdout_between(("SYNA", "SYNB"), *days, changed_prices(tmp_path / "a", day="2023-04-30"))
    assert own != holdout_between(("SYNA", "SYNB"), *days, changed_prices(tmp_path / "b", day="2023-05-10"))
    assert own.prices is not None
    assert holdout_between(("SYNA", "SYNB"), *days, tmp_path).prices is None
    best = {"fingerprint": smoke().to_dict(), "data": {"root": str(SAMPLE)}}  # as older versions wrote it
    fingerprint = smoke()
    assert fingerprint.window.test_end is not None
    window = fingerprint.window.end, fingerprint.window.test_end
    assert recorded_holdout(best) == holdout_between(fingerprint.tokens, *window, SAMPLE)


def test_folds_are_counted_each_on_its_own_days(tmp_path: Path):
    fingerprint = smoke("window.test_end=null", "walk_forward.train_days=30", "walk_forward.test_days=5")
    walk = run_folder(tmp_path / "walk", digest="", walk_forward={"train_days": 30}, fingerprint=fingerprint.to_dict())
    tokens = fingerprint.tokens
    folds = [
        {"fold": 1, "test_start": "2023-04-01", "test_end": "2023-04-06", "params": {"k": 1.0}},
        {"fold": 2, "test_start": "2023-04-06", "test_end": "2023-04-11", "params": {"k": 2.0}},
    ]
    assert fold_looks_words(fold_looks(walk, folds, tokens)).startswith("each test period evaluated at least once")
    for fold in folds:
        write_json(run_folder(walk / f"fold-0{fold['fold']}") / "out_of_sample.json", fold)
    (walk / LEDGER).write_text("".join(f"{old_line(fold['params'])}\n" for fold in folds))  # of an older version
    assert fold_looks_words(fold_looks(walk, folds, tokens)) == "each test period evaluated once"
    second = Holdout(tokens, "2023-04-06", "2023-04-11", None)
    note_look(walk / "fold-02", second, "backtest", {"k": 3.0})
    assert ledger_of(walk / "fold-02") == tmp_path / LEDGER
    found = fold_looks(walk, folds, tokens)
    assert [looks.count for looks in found] == [1, 2]
    assert fold_looks_words(found) == "test periods evaluated 1 to 2 times, that of fold 2 most often"
    with (walk / LEDGER).open("a") as file:
        file.write(old_line({"k": 9.0}))  # a winner that is no longer there: it fits every fold
    assert [looks.count for looks in fold_looks(walk, folds, tokens)] == [2, 3]


def test_lines_are_added_whole(tmp_path: Path):
    path = tmp_path / LEDGER
    path.write_bytes(b"cut sho")
    append_lines(path, lambda there: [b"new", *there])
    assert path.read_bytes() == b"cut sho\nnew\ncut sho\n"
    append_lines(path, lambda _: [])
    assert path.read_bytes() == b"cut sho\nnew\ncut sho\n"
