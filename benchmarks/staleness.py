"""What it costs the search that workers do not know of each other's batches in flight: a table.

    python -m benchmarks.staleness [--trials N] [--seeds N]

W workers in step: all ask a batch, then all tell. Each so misses W - 1 batches, as on average in a fleet of W.
Scores are those of the engine without costs, on the workload of `make bench`.
"""

import argparse
import statistics
from typing import Final

import optuna

from benchmarks.measuring import workload
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.samplers import ask_batch, batch_sampler, work_out_parents
from momentum_opt.study.space import SearchSpace, search_space

BATCH: Final = 64
WORKERS: Final = (1, 4, 16, 64)
SAMPLERS: Final = ("nsga2", "cmaes", "random")


def main() -> None:
    """Search with every sampler and number of workers, and print how far behind the best each one ends."""
    parser = argparse.ArgumentParser(description="Searches of workers that know of each other's batches late.")
    parser.add_argument("--trials", type=int, default=4096)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    device.configure()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    config, overrides, data = workload()
    fingerprint = load_fingerprint(config, overrides)
    evaluator = Evaluator(fingerprint, market_of(fingerprint), batch_size=BATCH)
    space = search_space(fingerprint)
    best = {
        (name, workers, seed): best_of(evaluator, space, name, workers, given.trials, seed)
        for name in SAMPLERS
        for workers in WORKERS
        for seed in range(given.seeds)
    }
    top = max(best.values())
    print(f"{data}; {given.trials:,} trials in batches of {BATCH}, {given.seeds} seeds; best {top:.4f}\n")
    heads = [f"{workers} worker{'s' * (workers > 1)}" for workers in WORKERS]
    print(f"| sampler | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|")
    for name in SAMPLERS:
        behind = [
            statistics.median(best[name, workers, seed] for seed in range(given.seeds)) - top for workers in WORKERS
        ]
        print(f"| `{name}` | {' | '.join(f'{one:.4f}' for one in behind)} |")


def best_of(
    evaluator: Evaluator,
    space: SearchSpace,
    name: str,
    workers: int,
    n_trials: int,
    seed: int,
) -> float:
    """The best objective of one search."""
    study, distributions, generation = optuna.create_study(direction="maximize"), space.distributions, 0
    for finished in range(0, n_trials, workers * BATCH):
        asked: list[optuna.Trial] = []
        for worker in range(workers):
            own = finished // workers
            study.sampler = batch_sampler(name, seed, finished, BATCH, distributions, worker=worker, own=own)
            generation = work_out_parents(study, generation)
            asked += ask_batch(study, distributions, BATCH)
        scores = evaluator.score([space.params(trial.params) for trial in asked])
        for trial, value in zip(asked, scores.objectives[:, 0], strict=True):
            study.tell(trial, float(value))
    return float(study.best_value)


if __name__ == "__main__":
    main()
