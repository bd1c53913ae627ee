import json
import math
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.errors import MissingFileError, RunFolderError
from momentum_opt.results.files import read_json, to_json, write_json, write_whole


def test_documents_are_strict():
    content = {
        "a": math.nan,
        "b": [math.inf, 1.5],
        "c": {"d": (-math.inf, "x", True, None)},
        "e": np.array([0.1, np.nan]),
    }
    text = to_json(content)
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert read == {
        "schema_version": 1,
        "a": None,
        "b": [None, 1.5],
        "c": {"d": [None, "x", True, None]},
        "e": [0.1, None],
    }
    assert text.endswith("}\n")


def test_floats_survive_to_the_bit(tmp_path: Path):
    numbers = np.random.default_rng(0).normal(size=50) * 10.0 ** np.arange(-25, 25)
    write_json(tmp_path / "a.json", {"numbers": numbers})
    assert read_json(tmp_path / "a.json", "it")["numbers"] == numbers.tolist()


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    monkeypatch.setattr("momentum_opt.results.files.os.fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_reading_names_what_is_wrong(tmp_path: Path):
    path = tmp_path / "a.json"
    with pytest.raises(MissingFileError, match=r"a\.json: no such file; give the path of a list"):
        read_json(path, "a list")
    with pytest.raises(MissingFileError, match=r"a folder, not a file; name a file: give the path of a list"):
        read_json(tmp_path, "a list")
    for content, said in ((b"{", "not valid JSON"), (b"\xff\xfe", "not valid JSON"), (b"[1]", "not a JSON object")):
        path.write_bytes(content)
        with pytest.raises(RunFolderError, match=said):
            read_json(path, "a list")
