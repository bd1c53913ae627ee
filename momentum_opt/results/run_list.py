"""List the runs in a folder: each run's objective, validation, verdict and trials, damaged ones as such (SPEC §16)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from momentum_opt.errors import MissingFolderError, MomentumOptError, UsageError, choose_among
from momentum_opt.paths import folder_fault, is_file
from momentum_opt.results.files import read_record
from momentum_opt.results.records import read_best
from momentum_opt.results.run_folder import RunFolder

Document = Mapping[str, Any]

FINISHED: Final = "finished"
UNFINISHED: Final = "unfinished"
DAMAGED: Final = "damaged"

SORTS: Final = ("created", "objective", "validation", "trials", "name")
"""What a list may be sorted by: the newest and largest first, names from a to z."""

_RESTORE: Final = "restore it from a copy"
_SUMMARY: Final = "walk_forward.json"


@dataclass(frozen=True)
class ListedRun:
    """One run of a list; what is not known is None.

    Attributes:
        path: its folder.
        kind: `tune` or `walk-forward`.
        state: `finished`, `unfinished` (begun, or stopped before its verdict) or `damaged`.
        metrics: objective by objective what is maximised.
        aggregate: how its windows are summed up.
        objective: (objective,) values of train; of a walk-forward, in sample.
        validation: the first metric on validation; of a walk-forward, out of sample.
        outcome: of the verdict.
        rules_met: of its rules.
        n_rules: how many there are.
        trials: finished trials; of a walk-forward, of all its folds.
        created: when its result was written, UTC.
        fault: why it is damaged.
    """

    path: Path
    kind: str
    state: str
    metrics: tuple[str, ...] = ()
    aggregate: str = ""
    objective: tuple[float, ...] = ()
    validation: float | None = None
    outcome: str | None = None
    rules_met: int = 0
    n_rules: int = 0
    trials: int | None = None
    created: str | None = None
    fault: str | None = None

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.path.name

    def as_document(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, **asdict(self), "path": str(self.path)}


def list_runs(folder: Path) -> list[ListedRun]:
    """The runs and walk-forwards in a folder, by name; the folder itself where it is one.

    Raises:
        MissingFolderError: there is no such folder.
    """
    if (fault := folder_fault(folder)) is not None:
        raise MissingFolderError(f"{folder}: {fault[0]}; {fault[1]}: give the folder that holds the runs")
    folders = [folder] if _is_begun(folder) else sorted(path for path in folder.iterdir() if _is_begun(path))
    return [listed_run(path) for path in folders]


def sorted_runs(runs: Iterable[ListedRun], column: str = "created") -> list[ListedRun]:
    """Runs in the order of a column; those without a value last, and equal ones by name.

    Raises:
        UsageError: there is no such column.
    """
    if column not in SORTS:
        raise UsageError(f"--sort {column}: no such column; {choose_among(column, SORTS)}")
    by_name = sorted(runs, key=lambda run: run.name)
    if column == "name":
        return by_name
    known = [run for run in by_name if _key(run, column) is not None]
    return sorted(known, key=lambda run: _key(run, column), reverse=True) + [run for run in by_name if run not in known]


def listed_run(path: Path) -> ListedRun:
    """One run as its files tell of it; a file that cannot be read makes it damaged, and raises nothing."""
    summary, folder = path / _SUMMARY, RunFolder(path)
    kind = "walk-forward" if is_file(summary) else "tune"
    try:
        recorded = read_record(folder.fingerprint, "a run folder's fingerprint.json", _RESTORE)
        recorded["fingerprint"].keys()  # not there, or no table: damaged
        if "walk_forward" in recorded or kind == "walk-forward":
            return _listed_walk(path, summary)
        if not is_file(folder.best):
            return ListedRun(path, kind, UNFINISHED)
        return listed_best(read_best(folder.best), path)
    except (MomentumOptError, OSError) as error:
        return ListedRun(path, kind, DAMAGED, fault=" ".join(str(error).split()))
    except (KeyError, TypeError, ValueError, AttributeError):
        files = [one for one in (folder.fingerprint, summary, folder.best) if is_file(one)]
        named = " or ".join(one.name for one in files)
        return ListedRun(path, kind, DAMAGED, fault=f"{path}: {named} is not as it was written; {_RESTORE}")


def listed_best(best: Document, path: Path) -> ListedRun:
    """The entry of a best.json, of which it reads the sections only; `path` is the folder or the file."""
    aim, verdict = best["objective"], best.get("verdict")
    value = aim["value"]
    metrics = tuple(aim.get("metrics", [aim["metric"]]))
    aggregate = aim["aggregate"]
    several = isinstance(aggregate, list)
    judged = best["fingerprint"].get("evidence", {}).get("enabled", True)
    found = ListedRun(
        path,
        "tune",
        UNFINISHED if verdict is None and judged else FINISHED,
        metrics=metrics,
        aggregate=" / ".join(aggregate) if several else aggregate,
        objective=tuple(map(float, value if isinstance(value, list) else [value])),
        validation=best["metrics"].get("validation", {}).get(metrics[0]),
        trials=best["study"]["n_trials"],
        created=best["created"],
    )
    return _judged(found, verdict)


def _listed_walk(path: Path, file: Path) -> ListedRun:
    if not is_file(file):
        return ListedRun(path, "walk-forward", UNFINISHED)
    summary = read_record(file, _SUMMARY, _RESTORE)
    done, metric = len(summary["folds"]), summary["metric"]
    found = ListedRun(
        path,
        "walk-forward",
        FINISHED if done == summary["n_folds"] else UNFINISHED,
        metrics=(metric,),
        aggregate=f"mean of {done} folds",
        objective=tuple(one for one in [summary["mean_in_sample"]] if one is not None),
        validation=summary["mean_out_of_sample"],
        created=summary["created"],
    )
    return _judged(found, summary.get("verdict"))


def _judged(run: ListedRun, verdict: Document | None) -> ListedRun:
    if verdict is None:
        return run
    rules = verdict["rules"]
    met = sum(rule["met"] is True for rule in rules)
    return replace(run, outcome=str(verdict["outcome"]), rules_met=met, n_rules=len(rules))


def _is_begun(path: Path) -> bool:
    return is_file(RunFolder(path).fingerprint) or is_file(RunFolder(path).best)


def _key(run: ListedRun, column: str) -> Any:
    if column == "objective":
        return run.objective[0] if run.objective else None
    return getattr(run, column)
