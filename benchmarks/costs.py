"""One figure of `make bench` in a process of its own, so that its peak memory is its own: scoring with costs.

    python -m benchmarks.costs CONFIG BATCH [section.key=value …]

Prints candidates per second of the second batch, seconds of the first, peak memory, and on a GPU what walked the
minutes, as JSON.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.measuring import random_sets
from benchmarks.memory import peak_mib
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space


def main() -> None:
    """Score one batch twice and say how long it took."""
    device.configure()
    config, batch, *overrides = sys.argv[1:]
    fingerprint = load_fingerprint(Path(config), overrides)
    evaluator = Evaluator(fingerprint, market_of(fingerprint), batch_size=int(batch))
    sets = random_sets(search_space(fingerprint), int(batch))
    times: list[float] = []
    for _ in range(2):
        began = time.perf_counter()
        evaluator.score(sets)
        times.append(time.perf_counter() - began)
    found = {
        "candidates_per_second": len(sets) / times[1],
        "first_call_s": times[0],
        "peak_mib": peak_mib(),
        "walker": "" if evaluator.choice is None else f", {evaluator.choice.reason}",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
