"""`make bench-evidence`: how often whole tunes and walk-forwards find something on markets whose trend is known.

    python -m benchmarks.evidence [--markets 0:200] [--strengths 0 2 3 4 5 6] [--walks 0:100] [--results FILE] [--table]

Each market is one of `benchmarks.planted`: minutes of two risky tokens and a stable one, with a trend of which the best
momentum pool earns an annual Sharpe ratio of `strength` in excess of the constant-weight pool. At strength 0 no pool
does, and every "found" is a false alarm. A market lasts 365 days of train and 91 of validation, after 120 days of
history, and then 365 fresh days on which nothing was tuned. A tune has all defaults. It found something where its first
rule is met (the deflated Sharpe ratio).

The walk-forwards (of strength 0) have four folds of 365 days, validation included, each followed by 91 days of test.

Every market is a line of the results file as soon as it is done. What is there is not run again, so the command may be
killed and given again, or run a part of the markets (`A:B`, B left out) at a time; the same seed gives the same line.
The table, and the picture of docs/evidence.md with `--picture`, are made of the file alone; `--table` runs nothing.
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmarks import REPOSITORY, RESULTS
from benchmarks.evidence_table import draw, table
from benchmarks.lines import Lines, Row, share
from benchmarks.planted import AMPLITUDES, FIRST, HISTORY, TOKENS, TRAIN, closes
from momentum_opt import device
from momentum_opt.api.tuning import tune
from momentum_opt.api.walk_forward import walk_forward
from momentum_opt.evidence.verdict import ALL_MET, SOME_MET
from momentum_opt.evidence.walk_verdict import AHEAD
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.units import MINUTES_PER_DAY, MS_PER_MINUTE

VALIDATION: Final = 91
"""Days: a fifth of those that a tune is given, as the default has it."""
TEST: Final = 365
WALK_TRAIN, WALK_TEST, FOLDS = 365, 91, 4
"""Days of a fold, validation included; days of its test; folds."""
WALK_SEEDS: Final = 10**5
"""Added to the number of a walk-forward's market, so that it is none of the tunes'."""
PICTURE: Final = REPOSITORY / "docs" / "pictures" / "evidence.svg"


def main() -> None:
    """Run what the results file does not have yet, and print the table."""
    options = _options()
    lines = Lines(options.results, _definition(), ("kind", "strength", "seed"))
    if not options.table:
        device.configure()
        lines.fill(
            _wanted(options),
            lambda key: _tuned(key["strength"], key["seed"]) if key["kind"] == "tune" else _walked(key["seed"]),
            lambda key: f"{key['kind']}, strength {key['strength']:g}, seed {key['seed']}",
        )
    rows = lines.rows()
    print(table(rows))
    if options.picture:
        draw(PICTURE, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=share, default=range(200), metavar="A:B", help="0:0 runs no tunes")
    parser.add_argument("--strengths", type=float, nargs="+", default=list(AMPLITUDES), choices=list(AMPLITUDES))
    parser.add_argument("--walks", type=share, default=range(100), metavar="A:B", help="0:0 runs no walk-forwards")
    parser.add_argument("--results", type=Path, default=RESULTS / "evidence.jsonl")
    parser.add_argument("--table", action="store_true", help="run nothing; print what the results file holds")
    parser.add_argument("--picture", action="store_true", help="draw docs/pictures/evidence.svg anew")
    return parser.parse_args()


def _definition() -> str:
    """What a line depends on besides its key, and the version of the program."""
    amplitudes = ", ".join(f"{strength:g}: {amplitude:g}" for strength, amplitude in AMPLITUDES.items())
    days = f"{HISTORY}+{TRAIN}+{VALIDATION}+{TEST} days, walk {WALK_TRAIN}+{WALK_TEST} days × {FOLDS}"
    return f"planted 1, amplitudes {amplitudes}; {days}"


def _wanted(options: argparse.Namespace) -> Iterator[Row]:
    """Seed by seed, so that a run that is cut short has something of everything."""
    for seed in range(max(options.markets.stop, options.walks.stop)):
        if seed in options.markets:
            for strength in options.strengths:
                yield {"kind": "tune", "strength": strength, "seed": seed}
        if seed in options.walks:
            yield {"kind": "walk", "strength": 0.0, "seed": seed}


def _tuned(strength: float, seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fingerprint = _market(Path(folder), strength, seed, TRAIN + VALIDATION, TEST, {})
        result = tune(fingerprint, Path(folder) / "run")
    assert result.findings is not None
    findings, metrics = result.findings, result.best["metrics"]
    return {
        "outcome": findings.verdict.outcome,
        "found": findings.verdict.outcome in (ALL_MET, SOME_MET),
        "all_met": findings.verdict.outcome == ALL_MET,
        "rules": {rule.name: rule.met for rule in findings.verdict.rules},
        "deflated_sharpe": findings.excess.deflated_sharpe,
        "train_excess": metrics["train"]["information_ratio"],
        "test_excess": metrics["test"]["information_ratio"],
        "detectable": None if findings.detectable is None else findings.detectable.required_annual_sharpe,
        "candidates": findings.candidates.distinct,
        "converged": result.best["convergence"]["converged"],
        "params": result.best["params"],
    }


def _walked(seed: int) -> Row:
    asked = {"walk_forward": {"train_days": WALK_TRAIN, "test_days": WALK_TEST}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        days = WALK_TRAIN + FOLDS * WALK_TEST
        fingerprint = _market(Path(folder), 0.0, WALK_SEEDS + seed, days, 0, asked)
        summary = walk_forward(fingerprint, Path(folder) / "walk").summary
    verdict = summary["verdict"]
    return {
        "outcome": verdict["outcome"],
        "ahead": verdict["outcome"] == AHEAD,
        "rules": {rule["name"]: rule["met"] for rule in verdict["rules"]},
        "probability": verdict["rules"][0]["value"],
    }


def _market(folder: Path, strength: float, seed: int, days: int, test: int, more: dict[str, Any]) -> Fingerprint:
    """Write a market's prices, and what is to be made of them: all defaults but for the history."""
    start, end, test_end = HISTORY, HISTORY + days, HISTORY + days + test
    prices = closes(AMPLITUDES[strength], seed, test_end)
    unix = FIRST.value // 10**6 + MS_PER_MINUTE * pd.RangeIndex(test_end * MINUTES_PER_DAY).to_numpy()
    for token, close in zip(TOKENS, prices.T, strict=True):
        table = pd.DataFrame({"unix": unix, "close": close})
        table.to_parquet(folder / f"{token}_USD.parquet", index=False, compression=None)
    config = {
        "data": {"root": "."},
        "tokens": list(TOKENS),
        "window": {"start": _day(start), "end": _day(end), "test_end": _day(test_end) if test else None},
        "pool": {"max_memory_days": HISTORY},
        "search": {"seed": seed},
        **more,
    }
    (folder / "market.yaml").write_text(json.dumps(config))
    return load_fingerprint(folder / "market.yaml")


def _day(passed: int) -> str:
    return (FIRST + pd.Timedelta(days=passed)).strftime("%Y-%m-%d")


if __name__ == "__main__":
    main()
