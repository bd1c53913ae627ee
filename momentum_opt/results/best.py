"""Make and read best.json, from which a result can be replayed (SPEC §15)."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import Fingerprint, recordable
from momentum_opt.market import Market
from momentum_opt.results.checksums import changed_sections
from momentum_opt.results.files import read_json, said_changed
from momentum_opt.results.look_lines import holdout_document, holdout_of
from momentum_opt.results.parameters import internal_form, readable_form
from momentum_opt.results.run_folder import now_text, prices_record, utc_ms
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.limits import keeps, limits_document
from momentum_opt.study.replay import Replay
from momentum_opt.study.trials import BESIDE, NEIGHBOURHOOD, SCREEN, TrialRecord

PACKAGES: Final = ("momentum-opt", "jax", "jaxlib", "numpy", "numba", "scipy", "optuna", "cmaes", "pandas", "pyarrow")


@dataclass(frozen=True)
class StudyFacts:
    """What best.json says of the study.

    Attributes:
        name: of the study.
        n_trials: finished trials of the sampler.
        n_failed: of them, without an objective.
        n_neighbours: trials from the neighbourhood of an earlier winner.
        n_points: points scored: all trials, what was scored on the way to them, and screened candidates.
    """

    name: str
    n_trials: int
    n_failed: int
    n_neighbours: int
    n_points: int

    @classmethod
    def of(
        cls,
        name: str,
        fingerprint: Fingerprint,
        sources: Sequence[str],
        failed: Sequence[bool],
        points: Sequence[int],
    ) -> "StudyFacts":
        """The facts of a study's finished trials, from what each of them notes."""
        asked = [lost for source, lost in zip(sources, failed, strict=True) if source not in BESIDE]
        scored = sum(count for source, count in zip(sources, points, strict=True) if source != SCREEN)
        near = sum(source == NEIGHBOURHOOD for source in sources)
        return cls(name, len(asked), sum(asked), near, fingerprint.search.screen + scored)


def best_document(
    fingerprint: Fingerprint,
    market: Market,
    params: ParamSet,
    trial: TrialRecord,
    replay: Replay,
    study: StudyFacts,
) -> dict[str, Any]:
    """The content of best.json; `baselines` stands beside the metrics that SPEC §15 lists."""
    return {
        "params": internal_form(params, fingerprint.tokens),
        "readable": readable_form(params, fingerprint),
        "objective": objective_section(fingerprint, fingerprint.objective.shown(trial.objectives)),
        **limits_section(fingerprint, replay.metrics),
        "metrics": replay.metrics,
        "days": days_of_periods(fingerprint, replay.metrics),
        "baselines": replay.baseline_metrics,
        "fees_earned": replay.fees_earned,
        "decomposition": replay.decomposition,
        "fingerprint": recordable(fingerprint.to_dict()),
        "digest": fingerprint.digest,
        "data": prices_record(market),
        "holdout": holdout_document(holdout_of(fingerprint, market.root)),
        "trial": trial.number,
        "source": trial.source,
        "verdict": None,  # known once the evidence is gathered
        "study": {
            "name": study.name,
            "sampler": fingerprint.search.sampler,
            "seed": fingerprint.search.seed,
            "n_trials": study.n_trials,
            "n_failed": study.n_failed,
            "n_screened": fingerprint.search.screen,
            "n_neighbours": study.n_neighbours,
            "n_points": study.n_points,
        },
        "versions": versions(),
        "created": now_text(),
    }


def days_of_periods(fingerprint: Fingerprint, shown: Iterable[str]) -> dict[str, int]:
    """Days of each period that is shown; of a window of the user's own, under whatever name, those of the window."""
    periods = fingerprint.periods
    days = {"train": periods.train, "validation": periods.validation, "test": periods.test}
    return {name: end - first for name in shown for first, end in [days.get(name) or periods.train]}


def objective_section(fingerprint: Fingerprint, objectives: tuple[float, ...]) -> dict[str, Any]:
    """`objective` of a document: metric, aggregate and shown value; of several objectives their values as a list.

    `metrics` are there where the objectives are metrics; `metric` is the first of them then.
    """
    aim = fingerprint.objective
    value = list(objectives) if aim.several else objectives[0]
    metrics = {"metrics": list(aim.metrics)} if aim.metrics else {}
    return {
        "metric": aim.metric,
        **metrics,
        "aggregate": list(aim.parts) if aim.multi_objective else aim.aggregate,
        "value": value,
    }


def limits_section(fingerprint: Fingerprint, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """`limits` of a document: metric → its limit, its value on train, and whether that keeps it; empty without limits.

    Args:
        fingerprint: of the run.
        metrics: period → metric → value.
    """
    aim, train = fingerprint.objective, metrics.get("train")
    if not aim.limits or train is None:
        return {}
    return {
        "limits": {
            name: {**limit, "value": train[name], "kept": keeps(train[name], limit)}
            for name, limit in limits_document(aim).items()
        }
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a number depends on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def read_params_file(path: Path) -> dict[str, Any]:
    """A params file: a best.json, or a document with `params` alone.

    Raises:
        ParamsError: it holds no `params` table.
    """
    document = read_json(path, "a best.json or a params file")
    if not isinstance(document.get("params"), Mapping) or not document["params"]:
        raise ParamsError(
            f'{path}: has no "params"; give a best.json, or {{"params": {{"k_per_day": …}}}} with --config'
        )
    return document


def check_unchanged(document: Mapping[str, Any], fingerprint: Fingerprint, path: Path, *, prices: bool = True) -> None:
    """Refuse a document that was edited after momentum-opt wrote it, and name what was changed.

    One without checksums is compared by its digest alone; what was never part of it may be added.

    Args:
        document: a best.json or another document with a fingerprint and its digest.
        fingerprint: the one in it.
        path: the file.
        prices: whether its record of the prices counts as well.

    Raises:
        ParamsError: a section or the fingerprint has been changed.
    """
    changed = [name for name in changed_sections(document) if prices or name.partition(".")[0] != "data"]
    if not changed and document.get("digest", fingerprint.digest) != fingerprint.digest:
        changed = ["fingerprint (it is not the one that the digest was made of)"]
    if changed:
        raise ParamsError(
            f"{path}: {said_changed(changed)}; give the file as it was written and changes of the configuration with "
            "--set, or its params alone with --config"
        )


@dataclass(frozen=True)
class RecordedFile:
    """The rows of a price file that a result was made with."""

    token: str
    sha256: str
    first_ms: int
    last_ms: int


@dataclass(frozen=True)
class RecordedCosts:
    """The rows of a file of the `costs` section that a result was made with."""

    name: str
    sha256: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True)
class RecordedResult:
    """What a best.json says that a replay of it must meet."""

    root: Path
    burn_in_days: int
    files: tuple[RecordedFile, ...]
    costs: tuple[RecordedCosts, ...]
    objectives: tuple[float, ...]


def recorded_result(document: Mapping[str, Any], path: Path) -> RecordedResult | None:
    """The recorded prices and objective of a best.json; None where the document holds params alone.

    Raises:
        ParamsError: the document has been changed so that they cannot be read.
    """
    if "data" not in document:
        return None
    try:
        data, value = document["data"], document["objective"]["value"]
        files = tuple(
            RecordedFile(str(file["token"]), str(file["sha256"]), utc_ms(file["first"]), utc_ms(file["last"]))
            for file in data["files"]
        )
        costs = tuple(
            RecordedCosts(str(file["name"]), str(file["sha256"]), int(file["from_ms"]), int(file["until_ms"]))
            for file in data.get("costs", ())
        )
        tokens = sorted(document["fingerprint"]["tokens"])
        objectives = tuple(float(one) for one in (value if isinstance(value, list) else [value]))
        recorded = RecordedResult(Path(data["root"]), int(data["burn_in_days"]), files, costs, objectives)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ParamsError(
            f"{path}: its data or objective section cannot be read ({type(error).__name__}: {error}); "
            "give the best.json as it was written, or its params alone with --config"
        ) from None
    if sorted(file.token for file in files) != tokens:
        raise ParamsError(
            f"{path}: its data section's files are not those of the fingerprint's tokens; give the best.json as it was "
            "written, or its params alone with --config"
        )
    return recorded


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
