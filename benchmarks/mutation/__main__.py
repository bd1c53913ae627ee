"""`make mutation`: changes a sample of places in the numeric packages, one at a time, and counts what the tests notice.

    python -m benchmarks.mutation --seed 0 --count 300        the share, and every change that no test noticed
    python -m benchmarks.mutation --again survived            the same, after tests were added for some of those

Tests run in copies of the tree, in as many processes as there are cores. What is in the results file is not run again.
"""

import argparse
import difflib
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from benchmarks import REPOSITORY, RESULTS
from benchmarks.mutation.killers import PACKAGES, killers_of
from benchmarks.mutation.mutants import Mutant, mutated, sample
from benchmarks.mutation.records import Record, Records
from benchmarks.mutation.trees import Tree
from momentum_opt.cores import available_cores

T = TypeVar("T")
OUTCOMES = {"failed": "killed", "timed out": "timed out", "passed": "survived", "nothing run": "incompetent"}
"""How the tests ended → what that says of the mutant."""
UNFINISHED = "unfinished"
"""The nearest tests did not notice it, and the others have not run."""
FIRST_LIMIT, SPARE, TIMES = 1200.0, 20.0, 2.0
"""Seconds of processor for a file on the unchanged tree; for a mutant, some and a multiple of what its tests took."""


def main() -> None:
    """Draw, run what has not been run, and print the table."""
    options = _options()
    paths = [file.relative_to(REPOSITORY).as_posix() for name in PACKAGES for file in _modules(name)]
    drawn, places = sample(REPOSITORY, paths, options.count, options.seed)
    records = Records(options.results)
    asked = [one for one in drawn if one.path.split("/")[1] in options.packages]
    again = (UNFINISHED, options.again)
    todo = [one for one in asked if (found := records.result(one)) is None or found["outcome"] in again]
    print(f"{len(drawn)} of {places} mutants drawn with seed {options.seed}, {len(todo)} to run", flush=True)
    with tempfile.TemporaryDirectory(prefix="momentum-opt-mutation-") as folder:
        if todo:
            _run(todo, records, Path(folder), options.jobs)
    _report([found for one in sorted(drawn) if (found := records.result(one))])


def _run(todo: list[Mutant], records: Records, folder: Path, jobs: int) -> None:
    """The nearest tests for all mutants, then the other ones for those that are left.

    Both first on the unchanged tree: where they fail, a mutant would seem killed.
    """
    trees: SimpleQueue[Tree] = SimpleQueue()
    for number in range(jobs):
        trees.put(Tree(folder / str(number), folder / "compiled"))
    left = [one for one in todo if (found := records.result(one)) and found["outcome"] == UNFINISHED]
    with ThreadPoolExecutor(jobs) as pool:
        for part, some in enumerate(([one for one in todo if one not in left], todo)):
            now = [one for one in some if part == 0 or (records.result(one) or {}).get("outcome") == UNFINISHED]
            files = {file for one in now for file in killers_of(one.path, REPOSITORY, {})[part]}
            unchanged = sorted(file for file in files if records.seconds(file) is None)
            list(pool.map(lambda file: _in_a_tree(trees, _pass, file, records), unchanged))
            list(pool.map(lambda job: _in_a_tree(trees, _try, job, records), [(one, part) for one in now]))


def _in_a_tree(trees: SimpleQueue[Tree], work: Callable[[Tree, T, Records], None], what: T, records: Records) -> None:
    tree = trees.get()
    try:
        work(tree, what, records)
    finally:
        trees.put(tree)


def _pass(tree: Tree, file: str, records: Records) -> None:
    done = tree.test([file], FIRST_LIMIT)
    if done.outcome != "passed":
        raise RuntimeError(f"`{file}` must pass before anything is changed, but it {done.outcome}:\n{done.tail}")
    records.add_seconds(file, done.seconds)
    print(f"{'unchanged':<10} {done.seconds:6.1f} s  {file}", flush=True)


def _try(tree: Tree, job: tuple[Mutant, int], records: Records) -> None:
    mutant, part = job
    source = (REPOSITORY / mutant.path).read_text()
    changed = mutated(source, mutant)
    took = {file: records.seconds(file) or 0.0 for files in killers_of(mutant.path, tree.root, {}) for file in files}
    files = killers_of(mutant.path, tree.root, took)[part]
    with tree.changed(mutant.path, changed):
        done = tree.test(files, SPARE + TIMES * sum(took[file] for file in files))
    outcome = UNFINISHED if part == 0 and done.outcome == "passed" else OUTCOMES[done.outcome]
    records.add_result(mutant, outcome=outcome, seconds=done.seconds, diff=_diff(source, changed), tail=done.tail)
    print(f"{outcome:<10} {done.seconds:6.1f} s  {mutant.path}:{mutant.line}", flush=True)


def _report(found: list[Record]) -> None:
    """Share killed per package, and what no test noticed; what is unfinished counts as not killed."""
    outcomes = ("killed", "timed out", "survived", UNFINISHED)
    print(f"\n{'':<12}{'mutants':>8}" + "".join(f"{name:>12}" for name in outcomes) + f"{'share':>8}")
    for name in (*PACKAGES, "all"):
        count = Counter(one["outcome"] for one in found if name in ("all", one["path"].split("/")[1]))
        all_run = sum(count[outcome] for outcome in outcomes)
        share = f"{(count['killed'] + count['timed out']) / all_run:>8.1%}" if all_run else f"{'–':>8}"
        print(f"{name:<12}{all_run:>8}" + "".join(f"{count[outcome]:>12}" for outcome in outcomes) + share)
    for outcome in ("survived", UNFINISHED, "incompetent"):
        for one in (one for one in found if one["outcome"] == outcome):
            print(f"\n{outcome}: {one['path']}:{one['line']}, {one['operator']} {one['occurrence']}\n{one['diff']}")


def _diff(source: str, changed: str) -> str:
    lines = list(difflib.unified_diff(source.splitlines(), changed.splitlines(), n=0, lineterm=""))
    return "\n".join(line for line in lines[2:] if not line.startswith("@@"))


def _modules(package: str) -> list[Path]:
    return sorted((REPOSITORY / "momentum_opt" / package).glob("*.py"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutation", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--count", type=int, default=300, help="how many mutants")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES, help="run only those of these")
    parser.add_argument("--jobs", type=int, default=available_cores(), help="how many test processes at a time")
    parser.add_argument("--again", choices=sorted(set(OUTCOMES.values())), help="run those with this result once more")
    parser.add_argument("--results", type=Path, default=RESULTS / "mutation.jsonl", help="file of results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
