"""Read and write the lines of a ledger of evaluations of test periods (SPEC §11, §13), and name these periods.

A line is one parameter set on one test period. What a period is called does not depend on the run: the tokens, the
days, and a digest of the prices of these days. Every line has an identity, so that two files are joined without
counting a line twice.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from momentum_opt.errors import MomentumOptError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import hash_rows
from momentum_opt.passwords import without_passwords
from momentum_opt.reading import parse_json
from momentum_opt.results.files import SCHEMA_VERSION, read_json
from momentum_opt.results.run_folder import now_text, utc_ms

LEDGER: Final = "test_looks.jsonl"
_FOLDS: Final = "fold-*/out_of_sample.json"


@dataclass(frozen=True)
class Holdout:
    """A test period as the ledger names it.

    Attributes:
        tokens: whose prices.
        start: first day, ISO; empty where a damaged record does not say, which fits every day.
        end: the day after the last one.
        prices: digest of the rows of all tokens in these days; None where they are gone, which fits all prices.
    """

    tokens: tuple[str, ...]
    start: str
    end: str
    prices: str | None

    def is_same(self, other: "Holdout") -> bool:
        """Whether both are one period, as far as is known."""
        days = not (self.start and other.start) or (self.start, self.end) == (other.start, other.end)
        prices = self.prices is None or other.prices is None or self.prices == other.prices
        return self.tokens == other.tokens and days and prices


@dataclass(frozen=True)
class Look:
    """A line of a ledger; `holdout` is None, and so fits every period, where the line cannot be read."""

    identity: str
    params: str | None
    holdout: Holdout | None
    line: bytes

    @property
    def is_damaged(self) -> bool:
        """Whether the line does not say what was evaluated."""
        return self.params is None


def holdout_of(fingerprint: Fingerprint, root: Path | None) -> Holdout | None:
    """The test period of a configuration on the price files in `root`; None without a test period or files."""
    if root is None or fingerprint.periods.test is None or fingerprint.window.test_end is None:
        return None
    return holdout_between(fingerprint.tokens, fingerprint.window.end, fingerprint.window.test_end, root)


def holdout_between(tokens: Sequence[str], start: date, end: date, root: Path) -> Holdout:
    """The days from `start` to before `end`, with the digest of the prices that `root` has of them."""
    first, last = (utc_ms(f"{day}T00:00:00Z") for day in (start, end))
    try:
        rows = [hash_rows(root, token, first, last - 1) for token in sorted(tokens)]
    except (MomentumOptError, OSError):
        prices = None
    else:
        prices = hashlib.sha256(" ".join(rows).encode()).hexdigest()
    return Holdout(tuple(sorted(tokens)), str(start), str(end), prices)


def holdout_in(document: Mapping[str, Any]) -> Holdout | None:
    """The test period that best.json, or a fold's record, names under `holdout`; None where it names none."""
    return _holdout(document.get("holdout"))


def holdout_document(holdout: Holdout | None) -> dict[str, Any] | None:
    """A test period as plain values."""
    return None if holdout is None else {**asdict(holdout), "tokens": list(holdout.tokens)}


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run or of a walk-forward."""
    return (folder / "fingerprint.json").exists()


def _digest(params: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def new_look(holdout: Holdout, command: str, params: Mapping[str, Any]) -> Look:
    """An evaluation of `params` on a test period, now."""
    identity, digest = uuid4().hex, _digest(params)
    line = _line(identity, now_text(), without_passwords(command), digest, holdout)
    return Look(identity, digest, holdout, line)


def _line(identity: str, time: str | None, command: str | None, params: str | None, holdout: Holdout | None) -> bytes:
    look = {
        "schema_version": SCHEMA_VERSION,
        "id": identity,
        "time": time,
        "command": command,
        "params": params,
        "holdout": holdout_document(holdout),
    }
    return json.dumps(look, allow_nan=False).encode()


def append_lines(path: Path, lines: Callable[[list[bytes]], list[bytes]]) -> None:
    """Add lines to a file that other processes add to as well, given those in it.

    The lock is the file's own, so it ends with its process. A last line that was cut short is ended first, so that it
    takes no other with it.
    """
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        there = file.read()
        more = lines(there.splitlines())
        if not more:
            return
        start = b"\n" if there and not there.endswith(b"\n") else b""
        file.write(start + b"".join(line + b"\n" for line in more))
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[bytes]:
    """The lines of a ledger, none of a file that is not there; never half of one that is being written."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def run_folders(folder: Path) -> list[Path]:
    """Run folders in `folder` that have a list of their own."""
    return [path.parent for path in sorted(folder.glob(f"*/{LEDGER}")) if is_run(path.parent)]


def looks_in(folder: Path) -> list[Look]:
    """A run's own list; what an older version noted, or is damaged, belongs to the run's own test period."""
    lines = read_lines(folder / LEDGER)
    return list(parsed_looks(lines, _periods_of(folder))) if lines else []


def parsed_looks(
    lines: Sequence[bytes], otherwise: Callable[[str | None], Holdout | None] = lambda _: None
) -> Iterator[Look]:
    """Looks in a file's lines.

    A line without an identity has that of its content, its days, and its place among equal ones, so that it stays
    itself in a folder that is renamed or copied, and where the prices have gone since.

    Args:
        lines: of the file.
        otherwise: digest of parameters → the period of a line that names none.
    """
    seen: dict[bytes, int] = {}
    for line in lines:
        if not line.strip():
            continue
        look = _document(line)
        identity, params, holdout = look.get("id"), look.get("params"), _holdout(look.get("holdout"))
        params = params if isinstance(params, str) else None
        if holdout is None:
            holdout = otherwise(params)
        if not isinstance(identity, str):
            seen[line] = place = seen.get(line, 0) + 1
            days = "" if holdout is None else f"{holdout.tokens} {holdout.start} {holdout.end}"
            identity = hashlib.sha256(f"{place} {days} ".encode() + line).hexdigest()[:32]
        elif holdout is not None and params is not None:
            yield Look(identity, params, holdout, line)
            continue
        words = [word if isinstance(word, str) else None for word in (look.get("time"), look.get("command"))]
        yield Look(identity, params, holdout, _line(identity, words[0], words[1], params, holdout))


def _document(line: bytes) -> Mapping[str, Any]:
    try:
        look = parse_json(line)
    except ValueError:
        return {}
    return look if isinstance(look, dict) else {}


def _holdout(value: Any) -> Holdout | None:
    try:
        tokens, prices = value["tokens"], value["prices"]
        return Holdout(
            tuple(map(str, tokens)), str(value["start"]), str(value["end"]), None if prices is None else str(prices)
        )
    except (KeyError, TypeError):
        return None


def _periods_of(folder: Path) -> Callable[[str | None], Holdout | None]:
    """Digest of parameters → the test period that a run folder evaluates, found when it is asked for.

    A walk-forward has one per fold, told apart by the winner's parameters; one that is not among them fits every fold.
    """
    found: list[Callable[[str | None], Holdout | None]] = []

    def period(params: str | None) -> Holdout | None:
        if not found:
            found.append(_recorded_periods(folder))
        return found[0](params)

    return period


def _recorded_periods(folder: Path) -> Callable[[str | None], Holdout | None]:
    try:
        recorded = read_json(folder / "fingerprint.json", "a run folder's fingerprint.json", "restore it")
        fingerprint = Fingerprint.from_dict(recorded["fingerprint"])
    except (MomentumOptError, KeyError, TypeError, OSError):
        return lambda _: None
    if "walk_forward" not in recorded:
        own = holdout_of(fingerprint, Path(str(recorded.get("data", {}).get("root", ""))))
        return lambda _: own
    folds: dict[str, Holdout] = {}
    for path in sorted(folder.glob(_FOLDS)):
        try:
            fold = read_json(path, "a fold's record", "restore it")
            folds[_digest(fold["params"])] = holdout_of_fold(fold, fingerprint.tokens)
        except (MomentumOptError, KeyError, TypeError, OSError):
            continue
    anywhere = Holdout(tuple(sorted(fingerprint.tokens)), "", "", None)
    return lambda params: folds.get(params or "", anywhere)


def holdout_of_fold(fold: Mapping[str, Any], tokens: Sequence[str]) -> Holdout:
    """As its record names it; one of an older version names its days alone."""
    named = holdout_in(fold)
    return named or Holdout(tuple(sorted(tokens)), str(fold["test_start"]), str(fold["test_end"]), None)
