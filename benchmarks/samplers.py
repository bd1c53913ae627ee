"""`make bench-samplers`: which sampler and batch size find the best objective in equal processor time.

Every candidate searches the same real windows with the same seeds, each search for the same processor time of this
process (host and engine together, on whatever share of the machine there is), in turn, so that no candidate has the
machine to itself. Prints a table and writes it as JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import RESULTS
from benchmarks.measuring import workload
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.results.best import versions
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.loop import Study
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import JournalStore

WINDOWS: Mapping[str, Sequence[str]] = {
    "2021-09 to 2022-09": ("window.start=2021-09-01", "window.end=2022-09-01", "pool.max_memory_days=180"),
    "2022-06 to 2023-06": ("window.start=2022-06-01", "window.end=2023-06-01"),
    "2023-03 to 2024-03": ("window.start=2023-03-01", "window.end=2024-03-01"),
}
"""Three years of real minutes that a user might tune on; the test is left out, nobody looks at it here."""

SCREEN = 4096
ENDLESS = 1_000_000
SMALLEST_GAIN = 1e-9


@dataclass(frozen=True)
class Candidate:
    """A way to search."""

    sampler: str
    batch_size: int
    screen: int

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{'screen + ' if self.screen else ''}{self.sampler}, {self.batch_size}"


GRID = (
    *(Candidate(sampler, batch, 0) for sampler in ("tpe", "cmaes", "nsga2") for batch in (32, 64, 128, 256)),
    *(Candidate(sampler, batch, 0) for sampler in ("qmc", "random") for batch in (64, 256)),
    *(Candidate(sampler, 64, SCREEN) for sampler in ("tpe", "cmaes", "nsga2", "memetic", "qmc", "random")),
)
"""All that is compared."""

QUICK = (
    *(Candidate("tpe", batch, 0) for batch in (64, 256)),
    *(Candidate("cmaes", batch, 0) for batch in (32, 64, 128)),
    *(Candidate(sampler, 64, 0) for sampler in ("nsga2", "qmc", "random")),
    *(Candidate(sampler, 64, SCREEN) for sampler in ("tpe", "cmaes", "nsga2", "memetic")),
)
"""Half of it."""


@dataclass(frozen=True)
class Found:
    """What one search found: the objective, the validation of its winner, and how many trials it took part in."""

    candidate: Candidate
    window: str
    seed: int
    objective: float
    validation: float
    trials: int


def main() -> None:
    """Measure and write it down."""
    options = _options()
    device.configure()
    began = time.perf_counter()
    found = list(_searches(options))
    rows = _table(found)
    report = {
        "schema_version": 1,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": device.describe_devices(),
        "seconds": options.seconds,
        "seeds": options.seeds,
        "windows": list(WINDOWS),
        "versions": versions(),
        "rows": rows,
        "searches": [{**vars(one), "candidate": one.candidate.name} for one in found],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "samplers.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{options.seconds:g} s of processor time per search, {options.seeds} seeds, {len(WINDOWS)} windows")
    print("| sampler, batch | behind the best, median | quartiles | validation, median | wins | trials, median |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['name']} | {row['objective']:.4f} | {row['lower']:.4f} to {row['upper']:.4f} "
            f"| {row['validation']:.4f} | {row['wins']:.3g} | {row['trials']:.0f} |"
        )
    print(f"{len(found)} searches in {time.perf_counter() - began:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time of one search")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="half of the candidates")
    return parser.parse_args()


def _searches(options: argparse.Namespace) -> Iterator[Found]:
    """Every candidate on every window and seed; candidates in turn inside each, so that all see the same machine."""
    candidates = QUICK if options.quick else GRID
    config, overrides, _ = workload()
    for window, settings in WINDOWS.items():
        common = [*overrides, *settings, "window.test_end=null"]
        market = market_of(load_fingerprint(config, common))
        evaluators: dict[int, Evaluator] = {}
        for batch in sorted({one.batch_size for one in candidates}):
            evaluator = Evaluator(load_fingerprint(config, common), market, batch_size=batch)
            space = search_space(evaluator.fingerprint)
            for one in (evaluator, evaluator.of_width(1024)):  # compiles, on nobody's time
                one.score([space.params(space.first_trial)])
            evaluators[batch] = evaluator
        for seed in range(options.seeds):
            for candidate in candidates:
                fingerprint = load_fingerprint(
                    config,
                    [
                        *common,
                        f"search.sampler={candidate.sampler}",
                        f"search.batch_size={candidate.batch_size}",
                        f"search.screen={candidate.screen}",
                        f"search.seed={seed}",
                    ],
                )
                yield _search(candidate, window, seed, fingerprint, evaluators[candidate.batch_size], options.seconds)


def _search(
    candidate: Candidate, window: str, seed: int, fingerprint: Fingerprint, evaluator: Evaluator, seconds: float
) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        store = JournalStore(Path(folder) / "study.journal")
        study = Study(fingerprint, search_space(fingerprint), evaluator, store.open_study("one", 1, {}))
        began = time.process_time()
        outcome = study.run(ENDLESS, should_stop=lambda: time.process_time() - began > seconds)
    if not outcome.sampled:
        raise SystemExit(f"{candidate.name}: not one trial in {seconds:g} s; give more --seconds")
    complete = [record for record in outcome.records if not record.failed]
    best = max(complete, key=lambda record: record.objectives[0])
    validation = best.validation[fingerprint.objective.metric]
    return Found(candidate, window, seed, best.objectives[0], validation, len(outcome.sampled))


def _table(found: Sequence[Found]) -> list[dict[str, float | str]]:
    """A row per candidate, the best median first; a win is the best objective of a window and seed, shared by ties."""
    places = {(one.window, one.seed) for one in found}
    best = {place: max(one.objective for one in found if (one.window, one.seed) == place) for place in places}
    winners = [one for one in found if one.objective >= best[one.window, one.seed] - SMALLEST_GAIN]
    shares = {place: sum((one.window, one.seed) == place for one in winners) for place in places}
    rows: list[dict[str, float | str]] = []
    for candidate in dict.fromkeys(one.candidate for one in found):
        own = [one for one in found if one.candidate == candidate]
        # Windows differ in how much there is to gain, so what is compared is the distance to the best of each.
        gaps = [one.objective - best[one.window, one.seed] for one in own]
        lower, middle, upper = statistics.quantiles(gaps, n=4) if len(gaps) > 1 else gaps * 3
        wins = sum(1 / shares[one.window, one.seed] for one in own if one in winners)
        rows.append(
            {
                "name": candidate.name,
                "objective": middle,
                "lower": lower,
                "upper": upper,
                "validation": statistics.median(one.validation for one in own),
                "wins": wins,
                "trials": statistics.median(one.trials for one in own),
            }
        )
    return sorted(rows, key=lambda row: -float(row["objective"]))


if __name__ == "__main__":
    main()
