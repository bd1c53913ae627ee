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

from benchmarks.mutation.killers import PACKAGES, killers_of
from benchmarks.mutation.mutants import Mutant, mutated, sample
from benchmarks.mutation.records import Record, Records
from benchmarks.mutation.trees import REPOSITORY, RESULTS, Tree
from momentum_opt.cores import available_cores

T = TypeVar("T")
OUTCOMES = {"failed": "killed", "timed out": "timed out", "passed": "survived", "nothing run": "incompetent"}
"""How the tests ended → what that says of the mutant."""
FIRST_LIMIT, SPARE, TIMES = 1200.0, 20.0, 2.0
"""Seconds of processor for a file on the unchanged tree; for a mutant, some and a multiple of what its tests took."""


def main() -> None:
    """Draw, run what has not been run, and print the table."""
    options = _options()
    paths = [file.relative_to(REPOSITORY).as_posix() for name in PACKAGES for file in _modules(name)]
    drawn, places = sample(REPOSITORY, paths, options.count, options.seed)
    records = Records(options.results)
    todo = [one for one in drawn if (found := records.result(one)) is None or found["outcome"] == options.again]
    print(f"{len(drawn)} of {places} mutants drawn with seed {options.seed}, {len(todo)} to run", flush=True)
    with tempfile.TemporaryDirectory(prefix="momentum-opt-mutation-") as folder:
        if todo:
            _run(todo, records, Path(folder), options.jobs)
    _report([found for one in sorted(drawn) if (found := records.result(one))])


def _run(todo: list[Mutant], records: Records, folder: Path, jobs: int) -> None:
    """First the tests on the unchanged tree: where they fail, a mutant would seem killed. Then the mutants."""
    trees: SimpleQueue[Tree] = SimpleQueue()
    for number in range(jobs):
        trees.put(Tree(folder / str(number), folder / "compiled"))
    unchanged = sorted(file for file in _files(todo) if records.seconds(file) is None)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda file: _in_a_tree(trees, _pass, file, records), unchanged))
        list(pool.map(lambda mutant: _in_a_tree(trees, _try, mutant, records), todo))


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


def _try(tree: Tree, mutant: Mutant, records: Records) -> None:
    source = (REPOSITORY / mutant.path).read_text()
    changed = mutated(source, mutant)
    took = {file: records.seconds(file) or 0.0 for file in _files([mutant])}
    with tree.changed(mutant.path, changed):
        for files in filter(None, killers_of(mutant.path, REPOSITORY, took)):
            done = tree.test(files, SPARE + TIMES * sum(took[file] for file in files))
            if done.outcome != "passed":
                break
    outcome = OUTCOMES[done.outcome]
    records.add_result(mutant, outcome=outcome, seconds=done.seconds, diff=_diff(source, changed), tail=done.tail)
    print(f"{outcome:<10} {done.seconds:6.1f} s  {mutant.path}:{mutant.line}", flush=True)


def _files(mutants: list[Mutant]) -> set[str]:
    return {file for one in mutants for files in killers_of(one.path, REPOSITORY, {}) for file in files}


def _report(found: list[Record]) -> None:
    """Share killed per package, and what no test noticed."""
    print(f"\n{'':<12}{'mutants':>8}{'killed':>8}{'timed out':>11}{'survived':>10}{'share':>8}")
    for name in (*PACKAGES, "all"):
        count = Counter(one["outcome"] for one in found if name in ("all", one["path"].split("/")[1]))
        noticed, all_run = count["killed"] + count["timed out"], count.total() - count["incompetent"]
        share = f"{noticed / all_run:>8.1%}" if all_run else f"{'–':>8}"
        print(f"{name:<12}{all_run:>8}{count['killed']:>8}{count['timed out']:>11}{count['survived']:>10}{share}")
    for outcome in ("survived", "incompetent"):
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
    parser.add_argument("--jobs", type=int, default=available_cores(), help="how many test processes at a time")
    parser.add_argument("--again", choices=sorted(set(OUTCOMES.values())), help="run those with this result once more")
    parser.add_argument("--results", type=Path, default=RESULTS / "mutation.jsonl", help="file of results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
