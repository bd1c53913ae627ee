"""`make bench-search`: how near to the best known objective each sampler comes, in equal time on real windows.

    python -m benchmarks.search [--problems A B …] [--samplers memetic …] [--seeds 5] [--scale 1.0]

Every search starts from nothing, with its compiled programs at hand, and is cut off after the problem's seconds (times
`--scale`); samplers take turns for each seed, so that a machine that slows down slows all of them. memetic runs with
the settings of the configuration, the others in the batches of 64 that served them best. What counts is

    regret = (best known − best so far) / (best known − the constant-weight pool's objective),

the part of what can be gained that is still missing. The best known sets of parameters lie in
`benchmarks/best_known.json`; they are scored anew before they are believed, and replaced where a search beats them.
Where a problem has limits, only sets that keep them count, as best known and as best so far.
Seconds are of the wall clock, or with `--clock processor` those of this process' processors over their number, for a
machine that others use.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import REPOSITORY, RESULTS
from benchmarks.gradients import eight_tokens
from benchmarks.measuring import workload
from benchmarks.search_picture import draw
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.market import Market
from momentum_opt.market.external import External
from momentum_opt.results.best import versions
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.ledger import Progress
from momentum_opt.study.loop import Study
from momentum_opt.study.space import SearchSpace, search_space
from momentum_opt.study.storage import JournalStore
from momentum_opt.vocabulary.names import SAMPLERS

BEST_KNOWN: Final = REPOSITORY / "benchmarks" / "best_known.json"
WRITTEN: Final = RESULTS / "search.json"
"""Of each problem what was found on it last."""
PICTURE: Final = REPOSITORY / "docs" / "pictures" / "search.svg"
ENDLESS: Final = 1_000_000
FRACTIONS: Final = (0.125, 0.25, 0.5, 1.0)
"""Of a problem's seconds: when the table reads the regret."""
TIMES: Final = 80
"""Points of a curve of regret."""
SMALLEST_GAIN: Final = 1e-9
"""By which a best known objective is beaten at least."""
DRAWDOWN: Final = -0.12
"""Of train; the best known set of A falls by 0.131, and of 4,096 random ones 36 by less than this."""
FREE: Final = 1e-7
"""Half the largest log k at which a pool still trades next to nothing: the constant-weight pool, as parameters."""


@dataclass(frozen=True)
class Problem:
    """A window that is searched.

    Attributes:
        name: in tables.
        config: configuration, by name.
        overrides: of it, as `--set` has them.
        seconds: of a search.
    """

    name: str
    config: str
    overrides: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Search:
    """One search as it went on.

    Attributes:
        problem: its name.
        sampler: that was asked.
        seed: of the study.
        seconds: at the end of each batch.
        trials: finished by then.
        objectives: the best by then, of the trials that keep the limits; None where none does yet.
        default_seconds: when the configuration's `n_trials` were finished; None where that was not reached.
        params: numbers of the best trial in that time, or else of the first; empty where none keeps the limits.
    """

    problem: str
    sampler: str
    seed: int
    seconds: tuple[float, ...]
    trials: tuple[int, ...]
    objectives: tuple[float | None, ...]
    default_seconds: float | None
    params: Mapping[str, float]

    def best_at(self, seconds: float) -> float:
        """The best objective that was known after so many seconds; −inf before there is one."""
        known = [best for taken, best in zip(self.seconds, self.objectives, strict=True) if taken <= seconds]
        return next((best for best in reversed(known) if best is not None), -float("inf"))


def problems() -> dict[str, Problem]:
    """All of them.

    Raises:
        SystemExit: the real prices are not there.
    """
    _, overrides, _ = workload()
    if not overrides[0].startswith("data.root="):
        raise SystemExit("bench-search needs the real prices: put them beside the checkout, or set MOMENTUM_OPT_SHARED")
    minute = Path(overrides[0].partition("=")[2])
    here, three, four = f"data.root={minute}", "btc_eth_usdc.yaml", "btc_eth_sol_usdc.yaml"
    later = "window.test_end=null"
    return {
        one.name: one
        for one in (
            Problem("A", three, (here,), 8),
            Problem("B", four, (here,), 15),
            Problem("C", three, tuple(eight_tokens(minute.parent / "hourly_2018")), 60),
            Problem("A, fee 0.3 %", three, (here, "costs.fees=0.003"), 20),
            Problem("A, drawdown", three, (here, f"objective.limits.max_drawdown.min={DRAWDOWN}"), 40),
            Problem(
                "2021-09",
                three,
                (here, "window.start=2021-09-01", "window.end=2022-09-01", later, "pool.max_memory_days=180"),
                8,
            ),
            Problem("2023-03", three, (here, "window.start=2023-03-01", "window.end=2024-03-01", later), 8),
        )
    }


class Workshop:
    """A problem with its prices and its evaluators, which all its searches share."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.market = market_of(self.fingerprint())
        self._evaluators: dict[tuple[int, bool], Evaluator] = {}

    def fingerprint(self, *overrides: str) -> Fingerprint:
        """The problem's, with further overrides."""
        return load_fingerprint(REPOSITORY / "configs" / self.problem.config, [*self.problem.overrides, *overrides])

    def evaluator(self, fingerprint: Fingerprint, market: Market | None = None) -> Evaluator:
        """One for each batch size, with and without costs."""
        key = fingerprint.search.batch_size, market is None
        if key not in self._evaluators:
            market = market or self.market
            growth = constant_weight_log_growth(fingerprint, market)  # as a tune has it, for the evidence
            self._evaluators[key] = Evaluator(fingerprint, market, batch_size=key[0], constant_weight=growth)
        return self._evaluators[key]

    def study(self, fingerprint: Fingerprint, folder: Path) -> Study:
        """A new study as `tune` would have it."""
        search = fingerprint.search
        evaluator = proposals = self.evaluator(fingerprint)
        if fingerprint.proposes_without_costs and (search.screen or search.sampler == "memetic"):
            free = replace(self.market, external=External())
            proposals = self.evaluator(fingerprint.without_costs(), free)
        durable = JournalStore(folder / "study.journal").open_study("search", 1, {})
        return Study(fingerprint, search_space(fingerprint), evaluator, durable, proposals)

    def search(self, sampler: str, seed: int, seconds: float, clock: Callable[[], float]) -> Search:
        """One search."""
        fingerprint = self.fingerprint(f"search.sampler={sampler}", f"search.seed={seed}")
        taken: list[float] = []
        trials: list[int] = []
        objectives: list[float | None] = []
        params: Mapping[str, float] = {}

        def note(progress: Progress) -> None:
            nonlocal params
            if progress.what == "trials" and progress.best is not None:
                taken.append(clock() - began)
                trials.append(progress.done)
                feasible = progress.best.violation == 0.0
                objectives.append(progress.best.objectives[0] if feasible else None)
                if feasible and (taken[-1] <= seconds or not params):
                    params = progress.best.numbers

        with tempfile.TemporaryDirectory() as folder:
            study = self.study(fingerprint, Path(folder))
            began = clock()
            study.run(ENDLESS, on_batch=note, should_stop=lambda: bool(taken) and clock() - began > seconds)
        wanted = fingerprint.search.n_trials
        default = next((when for when, done in zip(taken, trials, strict=True) if done >= wanted), None)
        return Search(
            self.problem.name, sampler, seed, tuple(taken), tuple(trials), tuple(objectives), default, dict(params)
        )

    def objective(self, numbers: Mapping[str, float]) -> float:
        """What a trial with these numbers scores; −inf where it breaks a limit."""
        fingerprint = self.fingerprint()
        space = search_space(fingerprint)
        found = self.evaluator(fingerprint).score([space.params(numbers)])
        return float(found.objectives[0, 0]) if found.violations[0] == 0.0 else -float("inf")

    def constant_weight(self) -> float:
        """The objective of the pool that keeps its first weights: this one with a k of nearly nothing.

        Whether it keeps the limits does not matter to the unit of regret.
        """
        fingerprint = self.fingerprint()
        params = still(search_space(fingerprint))
        return float(self.evaluator(fingerprint).score([params]).objectives[0, 0])


def still(space: SearchSpace) -> dict[str, np.ndarray]:
    """Parameters of a pool that keeps its weights."""
    params = dict(space.params(space.first_trial))
    names = {name: np.asarray(values) for name, values in params.items()}
    return {**names, "log_k": np.full_like(names["log_k"], np.log2(FREE))}


@dataclass(frozen=True)
class Best:
    """The best parameters that are known of a problem.

    Attributes:
        objective: of a trial with them.
        found: by whom and when.
        params: its numbers.
    """

    objective: float
    found: str
    params: Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """A sampler's line of a problem's table: regrets over all its seeds.

    Attributes:
        sampler: its name.
        times: seconds at which regrets are read.
        quartiles: (lower quartile, median, upper quartile), each at all times.
        worst: of all seeds, at all times.
        trials: finished in the end, median.
        default_seconds: until the configured number of trials was finished, median; None where it was not.
        default_regrets: of every seed then.
    """

    sampler: str
    times: Sequence[float]
    quartiles: Sequence[Sequence[float]]
    worst: Sequence[float]
    trials: float
    default_seconds: float | None
    default_regrets: Sequence[float]


@dataclass(frozen=True)
class Report:
    """What was found on a problem."""

    best: Best
    constant_weight: float
    seconds: float
    lines: Sequence[Line]
    searches: Sequence[Search]


def main() -> None:
    """Search, compare and write down."""
    options = _options()
    device.configure()
    began = time.perf_counter()
    clock = time.perf_counter if options.clock == "wall" else _processor_seconds
    written = json.loads(BEST_KNOWN.read_text()) if BEST_KNOWN.exists() else {}
    known = {name: Best(**one) for name, one in written.items()}
    reports: dict[str, Report] = {}
    for name in options.problems:
        workshop = Workshop(problems()[name])
        searches = list(_searches(workshop, options, clock))
        if not searches:
            continue
        known[name] = _best_known(workshop, known.get(name), searches)
        BEST_KNOWN.write_text(json.dumps({key: asdict(one) for key, one in known.items()}, indent=2) + "\n")
        reports[name] = _report(workshop, known[name], searches, options.scale)
        _print(name, reports[name])
    found = {**_before(options), **{name: asdict(one) for name, one in reports.items()}}
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = {
        "schema_version": 1,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{os.cpu_count()} cores, {device.describe_devices()}",
        "versions": versions(),
        "clock": options.clock,
        "scale": options.scale,
        "problems": {name: found[name] for name in problems() if name in found},
    }
    WRITTEN.write_text(json.dumps(text, indent=2) + "\n")
    if options.picture:
        drawn = {name: (one["seconds"], [Line(**line) for line in one["lines"]]) for name, one in found.items()}
        draw(PICTURE, {name: drawn[name] for name in problems() if name in drawn})
    print(f"\n{options.seeds} seeds, {options.clock} clock, in {time.perf_counter() - began:.0f} s")


def _before(options: argparse.Namespace) -> dict[str, Any]:
    """What earlier runs found on other problems, with the same clock and for as long."""
    text = json.loads(WRITTEN.read_text()) if WRITTEN.exists() else {}
    alike = text.get("clock") == options.clock and text.get("scale") == options.scale
    return text["problems"] if alike else {}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=list(problems()), choices=list(problems()))
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="times every problem's seconds")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    parser.add_argument("--picture", action="store_true", help="draw docs/pictures/search.svg anew")
    return parser.parse_args()


def _processor_seconds() -> float:
    return time.process_time() / (os.cpu_count() or 1)


def _searches(workshop: Workshop, options: argparse.Namespace, clock: Callable[[], float]) -> Iterator[Search]:
    """Every sampler that serves the problem with every seed, in turn."""
    samplers = [sampler for sampler in options.samplers if _serves(sampler, workshop)]
    for sampler in samplers:
        workshop.search(sampler, 0, 0.0, clock)  # compiles, on nobody's time
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for sampler in samplers:
            yield workshop.search(sampler, seed, options.scale * workshop.problem.seconds, clock)


def _serves(sampler: str, workshop: Workshop) -> bool:
    """Whether a study of the problem may be asked of the sampler; a line where it may not."""
    try:
        workshop.fingerprint(f"search.sampler={sampler}")
    except ConfigError as error:
        print(f"{workshop.problem.name}: left out: {error}")
        return False
    return True


def _best_known(workshop: Workshop, known: Best | None, searches: Sequence[Search]) -> Best:
    """The best set of parameters that has ever been seen, scored here."""
    found = None if known is None else replace(known, objective=workshop.objective(known.params))
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    for one in searches:
        if not one.params:
            continue
        value = workshop.objective(one.params)
        if found is None or value > found.objective + SMALLEST_GAIN:
            found = Best(value, f"{one.sampler}, seed {one.seed}, {today}", one.params)
    if found is None or found.objective == -float("inf"):
        raise SystemExit(
            f"{workshop.problem.name}: no search found a set that keeps the limits; raise --scale or --seeds"
        )
    return found


def _report(workshop: Workshop, best: Best, searches: Sequence[Search], scale: float) -> Report:
    floor = workshop.constant_weight()
    seconds = scale * workshop.problem.seconds
    by_sampler = {name: [one for one in searches if one.sampler == name] for name in (s.sampler for s in searches)}
    lines = [_line(name, own, best.objective, floor, seconds) for name, own in by_sampler.items()]
    return Report(best, floor, seconds, lines, searches)


def _line(sampler: str, searches: Sequence[Search], best: float, floor: float, seconds: float) -> Line:
    times = np.linspace(0.0, seconds, TIMES + 1)[1:]
    regrets = np.array([[_regret(one.best_at(when), best, floor) for when in times] for one in searches])
    ends = [one.default_seconds for one in searches if one.default_seconds is not None]
    whole = len(ends) == len(searches)
    at_default = [_regret(one.best_at(end), best, floor) for one, end in zip(searches, ends, strict=False)]
    return Line(
        sampler,
        times.tolist(),
        np.quantile(regrets, (0.25, 0.5, 0.75), axis=0).tolist(),
        regrets.max(axis=0).tolist(),
        statistics.median(one.trials[-1] for one in searches),
        statistics.median(ends) if whole else None,
        at_default if whole else (),
    )


def _regret(value: float, best: float, floor: float) -> float:
    """Missing share of the gain, one at most: who has found nothing may keep constant weights."""
    return min(1.0, (best - value) / (best - floor))


def _print(name: str, report: Report) -> None:
    best, floor, seconds = report.best.objective, report.constant_weight, report.seconds
    print(f"\n{name}: best known {best:.4f}, constant weight {floor:.4f}, {seconds:g} s")
    heads = " | ".join(f"after {share * seconds:g} s" for share in FRACTIONS)
    print(f"| sampler | {heads} | quartiles | worst seed | trials |")
    print("|---|" + "---|" * (len(FRACTIONS) + 3))
    for line in report.lines:
        low, middle, high = line.quartiles
        cells = " | ".join(f"{middle[round(share * TIMES) - 1]:.1%}" for share in FRACTIONS)
        ends = f"{low[-1]:.1%} to {high[-1]:.1%} | {line.worst[-1]:.1%} | {line.trials:.0f}"
        print(f"| {line.sampler} | {cells} | {ends} |")
    for line in report.lines:
        if line.default_seconds is not None:
            regrets = line.default_regrets
            print(
                f"{line.sampler}, trials as configured: {line.default_seconds:.1f} s, "
                f"regret {statistics.median(regrets):.1%}, worst {max(regrets):.1%}"
            )


if __name__ == "__main__":
    main()
