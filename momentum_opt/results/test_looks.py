"""The holdout ledger (SPEC §11): note a look at a run's test in its test_looks.jsonl, and count the looks."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from momentum_opt.reading import parse_json
from momentum_opt.results.run_folder import RunFolder, append_test_look


class UncountedLookWarning(UserWarning):
    """A look at the test that could not be noted."""


@dataclass(frozen=True)
class Looks:
    """What the ledger of a run folder says.

    Attributes:
        count: looks at the test. A damaged line counts: whatever it was, somebody looked.
        parameter_sets: different parameter sets among the lines that can be read.
        damaged: lines that cannot be read; 1 and a count of 0 where the whole ledger cannot.
    """

    count: int
    parameter_sets: int
    damaged: int

    def words(self) -> str:
        """One line for beside a test number."""
        if self.damaged > self.count:
            return "looks at this test so far: unknown (test_looks.jsonl cannot be read)"
        times = {0: "not yet", 1: "once"}.get(self.count, f"{self.count} times")
        sets = f", at {self.parameter_sets} parameter sets" if self.parameter_sets > 1 else ""
        damaged = f" ({self.damaged} of the lines in test_looks.jsonl cannot be read)" if self.damaged else ""
        return f"looks at this test so far: {times}{sets}{damaged}"


def read_test_looks(path: Path) -> Looks:
    """Count the looks; a ledger that is not there has none, and one that cannot be read none that can be counted."""
    try:
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    except FileNotFoundError:
        return Looks(0, 0, 0)
    except OSError:
        return Looks(0, 0, 1)
    digests = [_params_digest(line) for line in lines]
    known = {digest for digest in digests if digest is not None}
    return Looks(len(lines), len(known), digests.count(None))


def looks_beside(params_file: Path) -> Looks | None:
    """The looks of the run folder that a params file lies in; None where it lies in none, so that none are counted."""
    folder = RunFolder(params_file.parent)
    return read_test_looks(folder.test_looks) if folder.fingerprint.exists() else None


def looks_words(looks: Looks | None) -> str:
    """One line for beside a test number."""
    if looks is None:
        return "looks at this test: not counted (the parameters lie outside a run folder)"
    return looks.words()


def looks_document(looks: Looks | None) -> dict[str, int] | None:
    """The looks as plain values; None where they are not counted."""
    return None if looks is None else asdict(looks)


def note_look(path: Path, command: str, params: Mapping[str, Any]) -> None:
    """Add a look to a ledger; warn where it cannot be written, as whoever looks may only be allowed to read."""
    try:
        append_test_look(path, command, params)
    except OSError as error:
        warnings.warn(
            f"{path}: this look at the test could not be noted ({error.strerror}); make it writable to have looks "
            "counted",
            UncountedLookWarning,
            stacklevel=2,
        )


def _params_digest(line: bytes) -> str | None:
    try:
        look = parse_json(line)
    except ValueError:
        return None
    digest = look.get("params") if isinstance(look, dict) else None
    return digest if isinstance(digest, str) else None
