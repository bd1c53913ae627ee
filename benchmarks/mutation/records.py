"""The file of results, one JSON document a line, written as they come: what is in it is not measured again."""

import json
import threading
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks import REPOSITORY
from benchmarks.mutation.mutants import Mutant

Record = dict[str, Any]


class Records:
    """Results of mutants, and seconds of test files that pass on the unchanged tree."""

    def __init__(self, file: Path) -> None:
        """Read what there is."""
        self._file, self._lock = file, threading.Lock()
        self._found: dict[str, Record] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            for record in map(json.loads, file.read_text().splitlines()):
                self._found[record["key"]] = record

    def result(self, mutant: Mutant) -> Record | None:
        """The latest result of a mutant of the file as it is now."""
        return self._found.get(_mutant_key(mutant))

    def seconds(self, tests: str) -> float | None:
        """What a test file as it is now, or a single test of it, took when it passed."""
        found = self._found.get(_tests_key(tests))
        return found and found["seconds"]

    def each(self) -> dict[str, float]:
        """What every test took that ran on the unchanged tree."""
        return {name: seconds for one in self._found.values() for name, seconds in one.get("each", {}).items()}

    def add_result(self, mutant: Mutant, **facts: Any) -> None:
        """Keep a mutant's result."""
        self._add({"key": _mutant_key(mutant), **mutant._asdict(), **facts})

    def add_seconds(self, tests: str, seconds: float, each: Mapping[str, float]) -> None:
        """Keep that a test file, or a single test, passes."""
        self._add({"key": _tests_key(tests), "seconds": round(seconds, 2), "each": {**each}})

    def _add(self, record: Record) -> None:
        with self._lock, self._file.open("a") as out:
            self._found[record["key"]] = record
            out.write(json.dumps(record) + "\n")


def _tests_key(tests: str) -> str:
    return f"{tests} {_digest(tests.partition('::')[0])}"


def _mutant_key(mutant: Mutant) -> str:
    return f"{mutant.path} {_digest(mutant.path)} {mutant.operator} {mutant.occurrence}"


def _digest(path: str) -> str:
    return sha256((REPOSITORY / path).read_bytes()).hexdigest()[:16]
