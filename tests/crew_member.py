"""One of several real processes that tune one study at the same time: ready, waits for a file, then goes.

python -m tests.crew_member CONFIG-OVERRIDES… RUN_DIR READY GO
"""

import sys
import time
from pathlib import Path

from momentum_opt.api import tuning
from tests.sample_runs import smoke


def main() -> None:
    *overrides, run_dir, ready, go = sys.argv[1:]

    def wait(*_: object) -> None:
        Path(ready).touch()
        while not Path(go).exists():
            time.sleep(0.01)

    result = tuning.tune(smoke(*overrides), Path(run_dir), study_name="crew", on_start=wait)
    sys.stdout.write(f"{result.outcome.stopped} {len(result.outcome.records)}\n")


if __name__ == "__main__":
    main()
