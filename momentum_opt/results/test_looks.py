"""The holdout ledger (SPEC §11): test_looks.jsonl in, how often its run's test has been looked at out."""

from dataclasses import dataclass
from pathlib import Path

from momentum_opt.reading import parse_json


@dataclass(frozen=True)
class Looks:
    """What the ledger of a run folder says.

    Attributes:
        count: looks at the test. A damaged line counts: whatever it was, somebody looked.
        parameter_sets: different parameter sets among the lines that can be read.
        damaged: lines that cannot be read.
    """

    count: int
    parameter_sets: int
    damaged: int

    def words(self) -> str:
        """One line for beside a test number."""
        times = {0: "not yet", 1: "once"}.get(self.count, f"{self.count} times")
        sets = f", at {self.parameter_sets} parameter sets" if self.parameter_sets > 1 else ""
        damaged = f" ({self.damaged} of the lines in test_looks.jsonl cannot be read)" if self.damaged else ""
        return f"looks at this test so far: {times}{sets}{damaged}"


def read_test_looks(path: Path) -> Looks:
    """Count the looks; a ledger that is not there, or that is a folder or unreadable, has none that can be counted."""
    try:
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    except OSError:
        return Looks(0, 0, 0)
    digests = [_params_digest(line) for line in lines]
    known = {digest for digest in digests if digest is not None}
    return Looks(len(lines), len(known), digests.count(None))


def _params_digest(line: bytes) -> str | None:
    try:
        look = parse_json(line)
    except ValueError:
        return None
    digest = look.get("params") if isinstance(look, dict) else None
    return digest if isinstance(digest, str) else None
