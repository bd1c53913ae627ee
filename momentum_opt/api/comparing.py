"""Put pools side by side (SPEC §16): runs, best.json or params files in, a `Comparison` out.

What a finished run has written is read as it is, without JAX. Parameters without daily values beside them are
simulated. The test period is shown where it is asked for, and then every pool's counts as an evaluation of it (§11);
else no day of it is simulated or read.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from momentum_opt.errors import DataError, UsageError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.paths import AnyPath, is_file, path_or_none
from momentum_opt.results.comparison import ComparedPool, Comparison, unique_names
from momentum_opt.results.holdout import looks_beside, looks_words, note_look, recorded_holdout, run_of
from momentum_opt.results.look_lines import Holdout
from momentum_opt.results.records import read_best
from momentum_opt.results.report.compare_page import compare_page
from momentum_opt.results.report.content import read_table
from momentum_opt.results.report.write import write_page
from momentum_opt.results.run_folder import RunFolder, result_file
from momentum_opt.results.run_list import ListedRun, listed_best

_Found = tuple[ComparedPool, tuple[Holdout, ...]]


def compare(
    paths: Sequence[AnyPath],
    *,
    names: Sequence[str] | None = None,
    config: AnyPath | None = None,
    data: AnyPath | None = None,
    with_test: bool = False,
    command: str = "compare",
    on_note: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Read or simulate two pools or more.

    Args:
        paths: run folders, best.json files, or documents with `params`.
        names: what the pools are called; None takes what is different in their paths.
        config: configuration of documents with params alone.
        data: folder of price files for what is simulated; None looks where best.json or the configuration says.
        with_test: show the test period, and note an evaluation of it for every pool.
        command: noted in the list of evaluations.
        on_note: told in a line what could not be checked.

    Raises:
        UsageError: fewer than two are given, or one twice.
        ParamsError: a file has no usable params.
        RunFolderError: a run has no result, or a file of it is damaged.
        DataError: prices are missing, or differ from the recorded ones.
    """
    files = [result_file(Path(path)) for path in paths]
    if len(files) < 2:
        given = "nothing" if not files else f"{paths[0]} alone"
        raise UsageError(f"{given}: nothing to compare it with; give two or more runs, best.json or params files")
    seen: dict[Path, AnyPath] = {}
    for file, path in zip(files, paths, strict=True):
        if seen.setdefault(file.resolve(), path) is not path:
            raise UsageError(f"{path}: is given twice; leave one of them out")
    named = unique_names([_shown(file) for file in files]) if names is None else list(names)
    found = [
        _recorded(file, name)
        if _is_recorded(file) and data is None
        else _simulated(file, name, path_or_none(config), path_or_none(data), with_test=with_test, on_note=on_note)
        for file, name in zip(files, named, strict=True)
    ]
    looks = _note_looks(list(zip(files, found, strict=True)), command) if with_test else ()
    return Comparison(tuple(pool for pool, _ in found), with_test, looks)


def write_comparison(comparison: Comparison, page: Path, *, replace: bool = False) -> Path:
    """Write the page of a comparison.

    Args:
        comparison: the pools.
        page: the HTML file.
        replace: whether it may be there.

    Raises:
        DataError: it is there already, or cannot be written.
    """
    if not replace:
        check_page(page)
    write_page(compare_page(comparison, page.stem), page, None)
    return page


def check_page(page: Path) -> None:
    """Refuse a page that is there already.

    Raises:
        DataError: it is.
    """
    if page.exists():
        raise DataError(f"{page}: exists already; give another --out")


def _shown(file: Path) -> str:
    """What a pool is named after: its run, or its file without the ending."""
    return str(file.parent.resolve() if _is_best(file) else file.with_suffix(""))


def _is_best(file: Path) -> bool:
    return file.name == "best.json" and run_of(file) is not None


def _is_recorded(file: Path) -> bool:
    """Whether a run folder has the days of this result."""
    return _is_best(file) and is_file(RunFolder(file.parent).daily)


def _recorded(file: Path, name: str) -> _Found:
    best = read_best(file)
    fingerprint = Fingerprint.from_dict(best["fingerprint"], name=f"{file}: fingerprint")
    daily = read_table(RunFolder(file.parent).daily, numbers=("value", "constant_weight_value"))
    holdout = recorded_holdout(best) if "test" in best["metrics"] else None
    pool = ComparedPool(name, best, fingerprint, daily, listed_best(best, file.parent))
    return pool, () if holdout is None else (holdout,)


def _simulated(
    file: Path, name: str, config: Path | None, data: Path | None, *, with_test: bool, on_note: Callable[[str], None]
) -> _Found:
    from momentum_opt.api.backtesting import backtest, fingerprint_of  # these import JAX
    from momentum_opt.results.best import read_params_file

    document = read_params_file(file)
    own = None if "fingerprint" in document else config
    result = backtest(file, config=own, data=data, with_test=with_test, on_note=on_note)
    for line in result.notes:
        on_note(line)
    # As it was tuned, whatever of its window was simulated.
    fingerprint = fingerprint_of(document, file, own, ())
    summary = {**result.summary, "verdict": document.get("verdict")}
    daily = result.day_rows
    return ComparedPool(name, summary, fingerprint, daily, _listed(summary, document, file)), result.holdouts


def _listed(summary: Mapping[str, Any], document: Mapping[str, Any], file: Path) -> ListedRun:
    """The entry of a replay; what only a study has is that of the file, where it has it."""
    if all(name in document for name in ("objective", "metrics", "study", "created", "fingerprint")):
        return listed_best(document, file)
    stands_for = {**summary, "study": {"n_trials": None}, "fingerprint": {"evidence": {"enabled": False}}}
    return listed_best({**stands_for, "verdict": None}, file)


def _note_looks(found: Sequence[tuple[Path, _Found]], command: str) -> tuple[str, ...]:
    """Note an evaluation for every pool and test period; how often each was evaluated by then."""
    for file, (pool, holdouts) in found:
        folder = run_of(file)
        if folder is not None:
            for holdout in holdouts:
                note_look(folder, holdout, command, pool.document["params"])
    words: dict[str, list[str]] = {}
    for file, (pool, holdouts) in found:
        if holdouts:
            words.setdefault(looks_words(looks_beside(file, holdouts[0])), []).append(pool.name)
    if len(words) == 1:
        return tuple(words)
    return tuple(f"{line}: {', '.join(names)}" for line, names in words.items())
