"""A results file, a JSON object per line: what is in it is not computed again, and a run may be killed at any time."""

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Lines:
    """The file.

    Attributes:
        path: where it is; made with the first line.
        definition: what the figures depend on besides their keys; every line holds it.
        keys: names of the entries that tell lines apart.
    """

    path: Path
    definition: str
    keys: Sequence[str]

    def rows(self) -> list[Row]:
        """All whole lines. What a kill left of a last one is not read, and the next `append` writes over it.

        Raises:
            SystemExit: a line is damaged, or of another definition.
        """
        found: list[Row] = []
        for number, line in enumerate(self._whole().splitlines(), 1):
            try:
                row: Row = json.loads(line)
                known = row["definition"]
            except (ValueError, TypeError, KeyError):
                raise SystemExit(f"{self.path}: line {number} is damaged; remove it") from None
            if known != self.definition:
                raise SystemExit(f"{self.path}: line {number} is of another version; give --results another file")
            found.append(row)
        return found

    def missing(self, wanted: Iterable[Row]) -> list[Row]:
        """Of the wanted keys those that no line has yet."""
        there = {self._key(row) for row in self.rows()}
        return [row for row in wanted if self._key(row) not in there]

    def fill(self, wanted: Iterable[Row], compute: Callable[[Row], Row], named: Callable[[Row], str]) -> None:
        """Compute the wanted lines that are not there, each written as soon as it is done; says one line of each.

        Args:
            wanted: keys.
            compute: key → the rest of its line, `outcome` among it.
            named: key → what it is called.
        """
        missing = self.missing(wanted)
        for number, key in enumerate(missing, 1):
            began = time.perf_counter()
            row = compute(key)
            self.append({**key, **row, "seconds": round(time.perf_counter() - began, 2)})
            taken = time.perf_counter() - began
            print(f"{number} of {len(missing)}: {named(key)}: {row['outcome']}, {taken:.1f} s", flush=True)

    def append(self, row: Row) -> None:
        """Write a line, and have it on the disk before this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = len(self._whole().encode())
        with self.path.open("ab") as file:
            file.truncate(whole)
            file.write((json.dumps({"definition": self.definition, **row}) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.keys)

    def _whole(self) -> str:
        text = self.path.read_text() if self.path.exists() else ""
        return text[: text.rfind("\n") + 1]


def share(text: str) -> range:
    """A:B as the numbers A … B − 1; a number alone as 0:B."""
    first, colon, end = text.rpartition(":")
    return range(int(first) if colon else 0, int(end))
