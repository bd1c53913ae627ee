"""One figure of `make bench` in a process of its own, so that its peak memory is its own: scoring with costs.

    python -m benchmarks.costs CONFIG BATCH [section.key=value …]

Prints candidates per second of the second batch, seconds of the first, and peak memory as JSON.
"""

import json
import re
import sys
import time
from pathlib import Path

from benchmarks.run import random_sets
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
        "peak_mib": _peak_mib(),
    }
    print(json.dumps(found))


def _peak_mib() -> float:
    """The largest resident memory of this program; `ru_maxrss` would begin with that of the process that started it."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


if __name__ == "__main__":
    main()
