"""The memory of a process, for benchmarks and for tests that measure in a process of its own."""

import re
from pathlib import Path


def peak_mib() -> float:
    """The largest resident memory of this program; `ru_maxrss` would begin with that of the process that started it."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) / 1024
