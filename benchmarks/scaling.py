"""`make bench-scaling`: how throughput grows with the workers of one PostgreSQL, by a model whose costs are measured.

    python -m benchmarks.scaling                        measure, compare with real processes, simulate
    python -m benchmarks.scaling --costs FILE           simulate alone, with costs that were measured before

Prints the tables of docs/scaling.md, writes the costs to benchmarks/results/scaling.json and draws the picture.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import REPOSITORY, RESULTS
from benchmarks.fleet import Costs, Fleet, Line, Outcome, simulate
from benchmarks.measuring import alone, workload
from benchmarks.scaling_picture import draw

if TYPE_CHECKING:
    from momentum_opt.fingerprint import Fingerprint

PICTURE: Final = REPOSITORY / "docs" / "pictures" / "scaling.svg"
WORKERS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
SHOWN: Final = (1, 4, 16, 64, 128, 256, 1000)
LOADS: Final[Mapping[str, Sequence[str]]] = {
    "no costs": (),
    "fees": ("costs.fees=0.003",),
    "fees, metric of minutes": ("costs.fees=0.003", "objective.metric=max_drawdown"),
}
"""Name → overrides of the configuration."""
BATCH: Final = 64
REAL: Final = tuple((workers, score) for score in (0.25, 2.0) for workers in (1, 2, 4))
"""Processes, and seconds that they sleep instead of scoring a batch."""
REAL_BATCHES: Final = 12
"""Of each real process."""
REMEDIES: Final[Mapping[str, tuple[str, Mapping[str, int]]]] = {
    "64 workers": ("nsga2", {"workers": 64}),
    "64 workers, `cmaes`": ("cmaes", {"workers": 64}),
    "1,000 workers": ("nsga2", {}),
    "1,000 workers, 32 cores": ("nsga2", {"cores": 32}),
    "1,000 workers in 10 studies": ("nsga2", {"studies": 10}),
    "1,000 workers in 50 studies": ("nsga2", {"studies": 50}),
    "1,000 workers in 8 studies, a server each": ("nsga2", {"studies": 8, "cores": 64}),
}
"""What can be done → sampler, and what it changes in a fleet of 1,000 on a storage of 8 cores."""


def main() -> None:
    """Measure or read the costs, then print, write and draw."""
    parser = argparse.ArgumentParser(description="Throughput of many workers on one PostgreSQL.")
    parser.add_argument("--costs", type=Path, help="what an earlier run has written")
    given = parser.parse_args().costs
    if given is None:
        measured = measure()
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "scaling.json").write_text(json.dumps(measured, indent=2) + "\n")
    else:
        measured = json.loads(given.read_text())
    costs = {name: costs_of(one) for name, one in measured["costs"].items()}
    print(f"{measured['machine']}; {measured['data']}; {measured['connections']} connections per worker\n")
    print_costs(costs, measured["score"])
    print_real(costs["nsga2"], measured)
    curves = {load: curve(costs["nsga2"], seconds) for load, seconds in measured["score"].items()}
    print_curves(curves)
    print_remedies(costs, measured["score"])
    draw(PICTURE, curves, BATCH, measured["score"])


def measure() -> dict[str, Any]:
    """Everything that the model takes from this machine, JSON-ready; minutes."""
    from benchmarks.real_fleet import count_connections
    from benchmarks.storage_costs import measure_costs
    from momentum_opt.fingerprint import load_fingerprint
    from momentum_opt.results.best import versions
    from tests.postgres import server

    config, overrides, data = workload()
    fingerprint = load_fingerprint(config, [*overrides, f"search.batch_size={BATCH}"])
    score = {load: _score_seconds(config, [*overrides, *settings]) for load, settings in LOADS.items()}
    with server() as url:
        costs = measure_costs(url, fingerprint)
        connections = count_connections(url)
        real = [real_row(url, fingerprint, workers, seconds) for workers, seconds in REAL]
    return {
        "machine": f"{os.cpu_count()} cores",
        "data": data,
        "versions": versions(),
        "connections": connections,
        "costs": {name: asdict(one) for name, one in costs.items()},
        "score": score,
        "cores": os.cpu_count(),
        "real": real,
    }


def real_row(url: str, fingerprint: "Fingerprint", workers: int, score: float) -> dict[str, float]:
    """Real processes: how many, how long they sleep, and their trials per second."""
    from benchmarks.real_fleet import real_throughput

    throughput = real_throughput(url, fingerprint, workers, score, REAL_BATCHES)
    print(f"{workers} processes, {score} s: {throughput:.0f} trials/s")
    return {"workers": workers, "score": score, "throughput": throughput}


def _score_seconds(config: Path, overrides: Sequence[str]) -> float:
    """Seconds to score a batch, the compiled program at hand, in a process of its own."""
    return BATCH / alone("benchmarks.costs", str(config), str(BATCH), *overrides)["candidates_per_second"]


def costs_of(document: Mapping[str, Any]) -> Costs:
    """The costs that were written as JSON."""
    return Costs(**{name: Line(**one) if isinstance(one, Mapping) else one for name, one in document.items()})


def curve(costs: Costs, score: float) -> dict[int, Outcome]:
    """Workers → what comes of them."""
    return {workers: simulate(costs, Fleet(workers, score, BATCH)) for workers in WORKERS}


def print_costs(costs: Mapping[str, Costs], score: Mapping[str, float]) -> None:
    """The table of what was measured, milliseconds."""
    one = costs["nsga2"]
    print("| cost | at 1,000 trials | at 20,000 |\n|---|---|---|")
    rows = {f"ask and tell a batch, `{name}`": each.ask for name, each in costs.items()}
    rows |= {"append a batch: others wait": one.write, "append a batch: the server's core": Line(one.serve_batch)}
    rows |= {"go through the known trials": one.look, "take in a trial of another worker": Line(one.take)}
    rows |= {"serve a trial to one worker: the server's core": Line(one.serve_trial)}
    for name, line in rows.items():
        print(f"| {name} | {milliseconds(line.at(1_000))} | {milliseconds(line.at(20_000))} |")
    print("\n| scoring a batch of 64 | seconds |\n|---|---|")
    for name, seconds in score.items():
        print(f"| {name} | {seconds:.3g} |")


def milliseconds(seconds: float) -> str:
    """Three digits."""
    return f"{float(f'{seconds * 1e3:.3g}'):,g} ms"


def print_real(costs: Costs, measured: Mapping[str, Any]) -> None:
    """The model against real processes, all of them and the server on the cores of one machine."""
    print("\n| processes | sleep | real trials/s | model | model / real |\n|---|---|---|---|---|")
    for one in measured["real"]:
        trials = one["workers"] * REAL_BATCHES * BATCH // 2  # on average; they begin with none
        fleet = Fleet(one["workers"], one["score"], BATCH, trials=trials, cores=measured["cores"], alone=False)
        model, real = simulate(costs, fleet).throughput, one["throughput"]
        print(f"| {one['workers']} | {one['score']} s | {real:.0f} | {model:.0f} | {model / real:.2f} |")


def print_curves(curves: Mapping[str, Mapping[int, Outcome]]) -> None:
    """Throughput, share of the ideal one, staleness, and of the load with fees how busy the storage is."""
    print(
        f"\n| workers | {' | '.join(f'{load}: trials/s | each' for load in curves)} | missed | writing | cores busy |"
    )
    print("|---" * (4 + 2 * len(curves)) + "|")
    for workers in SHOWN:
        cells = [f"{found[workers].throughput:,.0f} | {share(found, workers):.1%}" for found in curves.values()]
        one = curves["fees"][workers]
        storage = f"{one.staleness:,.0f} | {one.lock_busy:.0%} | {one.storage_busy:.0%}"
        print(f"| {workers:,} | {' | '.join(cells)} | {storage} |")


def share(found: Mapping[int, Outcome], workers: int) -> float:
    """What a worker of many does, as part of what one alone does."""
    return found[workers].throughput / workers / found[1].throughput


def print_remedies(costs: Mapping[str, Costs], score: Mapping[str, float]) -> None:
    """Throughput, and how busy the storage is, with one thing changed."""
    print(f"\n| | {' | '.join(f'{load}: trials/s' for load in score)} | storage busy |\n{'|---' * (2 + len(score))}|")
    for name, (sampler, change) in REMEDIES.items():
        fleets = [replace(Fleet(WORKERS[-1], seconds, BATCH), **change) for seconds in score.values()]
        found = [simulate(costs[sampler], fleet) for fleet in fleets]
        print(f"| {name} | {' | '.join(f'{each.throughput:,.0f}' for each in found)} | {found[-1].storage_busy:.0%} |")


if __name__ == "__main__":
    main()
