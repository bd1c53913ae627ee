"""The holdout ledger, whole and damaged."""

from pathlib import Path

import pytest

from momentum_opt.results.run_folder import append_test_look
from momentum_opt.results.test_looks import read_test_looks


def test_looks_are_counted(tmp_path: Path):
    path = tmp_path / "test_looks.jsonl"
    assert read_test_looks(path).words() == "looks at this test so far: not yet"
    append_test_look(path, "tune", {"k": 1.0})
    assert read_test_looks(path).words() == "looks at this test so far: once"
    append_test_look(path, "backtest", {"k": 1.0})
    append_test_look(path, "backtest", {"k": 2.0})
    looks = read_test_looks(path)
    assert (looks.count, looks.parameter_sets, looks.damaged) == (3, 2, 0)
    assert looks.words() == "looks at this test so far: 3 times, at 2 parameter sets"


@pytest.mark.parametrize("damage", [b'{"schema_version": 1, "ti', b"\xff\xfe", b"[]", b'{"params": 3}'])
def test_a_damaged_line_counts_as_a_look_and_takes_no_other_with_it(tmp_path: Path, damage: bytes):
    path = tmp_path / "test_looks.jsonl"
    append_test_look(path, "tune", {"k": 1.0})
    with path.open("ab") as file:
        file.write(damage)  # no newline: it was cut short
    append_test_look(path, "tune", {"k": 2.0})
    looks = read_test_looks(path)
    assert (looks.count, looks.parameter_sets, looks.damaged) == (3, 2, 1)
    assert "1 of the lines" in looks.words()


def test_a_ledger_that_is_a_folder_has_nothing_to_count(tmp_path: Path):
    assert read_test_looks(tmp_path).count == 0
