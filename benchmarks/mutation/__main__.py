"""`make mutation`: changes a sample of places in the numeric packages, one at a time, and counts what the tests notice.

    python -m benchmarks.mutation --seed 0 --count 300        the share, and every change that no test noticed
    python -m benchmarks.mutation --again survived            the same, after tests were added for some of those

Tests run in copies of the tree, in as many processes as there are cores. What is in the results file is not run again.
"""

import argparse
import difflib
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

from benchmarks import REPOSITORY, RESULTS
from benchmarks.mutation.killers import PACKAGES, killers_of
from benchmarks.mutation.mutants import Mutant, mutated, sample
from benchmarks.mutation.records import Record, Records
from benchmarks.mutation.trees import Tree
from momentum_opt.cores import available_cores

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
    todo.sort(key=lambda one: PACKAGES.index(one.path.split("/")[1]))
    with tempfile.TemporaryDirectory(prefix="momentum-opt-mutation-") as folder:
        if todo:
            trees = [
                Tree(Path(folder, str(number)), options.results.with_suffix(".cache")) for number in range(options.jobs)
            ]
            begun = {one for one in todo if (found := records.result(one)) and found["outcome"] == UNFINISHED}
            _try_all([one for one in todo if options.again == UNFINISHED or one not in begun], 0, records, trees)
            if not options.nearest:
                left = [one for one in todo if (found := records.result(one)) and found["outcome"] == UNFINISHED]
                _try_all(left, 1, records, trees)
    _report([found for one in sorted(drawn) if (found := records.result(one))])


def _try_all(mutants: list[Mutant], part: int, records: Records, copies: list[Tree]) -> None:
    """Their nearest tests (part 0), or the other ones (part 1), in as many processes as there are copies."""
    trees: SimpleQueue[Tree] = SimpleQueue()
    for tree in copies:
        trees.put(tree)
    with ThreadPoolExecutor(len(copies)) as pool:
        list(pool.map(lambda one: _in_a_tree(trees, one, part, records), mutants))


def _in_a_tree(trees: SimpleQueue[Tree], mutant: Mutant, part: int, records: Records) -> None:
    tree = trees.get()
    try:
        _try(tree, mutant, part, records)
    finally:
        trees.put(tree)


def _try(tree: Tree, mutant: Mutant, part: int, records: Records) -> None:
    """Each test first on the unchanged tree: where it fails, a mutant would seem killed."""
    for tests in killers_of(mutant.path, REPOSITORY, {})[part]:
        if records.seconds(tests) is None:
            _pass(tree, tests, records)
    source = (REPOSITORY / mutant.path).read_text()
    changed = mutated(source, mutant)
    took = {tests: records.seconds(tests) or 0.0 for tests in chain(*killers_of(mutant.path, REPOSITORY, {}))}
    tests = killers_of(mutant.path, REPOSITORY, took)[part]
    with tree.changed(mutant.path, changed):
        done = tree.test(tests, SPARE + TIMES * sum(took[one] for one in tests), records.each())
    outcome = UNFINISHED if part == 0 and done.outcome == "passed" else OUTCOMES[done.outcome]
    records.add_result(mutant, outcome=outcome, seconds=done.seconds, diff=_diff(source, changed), tail=done.tail)
    print(f"{outcome:<10} {done.seconds:6.1f} s  {mutant.path}:{mutant.line}", flush=True)


def _pass(tree: Tree, tests: str, records: Records) -> None:
    done = tree.test([tests], FIRST_LIMIT, {})
    if done.outcome != "passed":
        raise RuntimeError(f"`{tests}` must pass before anything is changed, but {done.outcome}:\n{done.tail}")
    records.add_seconds(tests, done.seconds, done.each)
    print(f"{'unchanged':<10} {done.seconds:6.1f} s  {tests}", flush=True)


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
    parser.add_argument("--nearest", action="store_true", help="leave out what comes after the nearest tests")
    results = sorted({*OUTCOMES.values(), UNFINISHED})
    parser.add_argument("--again", choices=results, help="run those with this result from the beginning")
    parser.add_argument("--results", type=Path, default=RESULTS / "mutation.jsonl", help="file of results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
