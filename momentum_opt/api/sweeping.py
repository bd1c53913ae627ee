"""A configuration and lists of values in; a run per combination, and evidence that counts the candidates of all, out.

Every combination is a run as `tune` makes it, in a folder of its own, so it goes on, is listed and is replayed like any
other. Imports no JAX before the evidence is counted.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from momentum_opt.errors import UsageError
from momentum_opt.fingerprint import Fingerprint, OptionSetting, read_configuration
from momentum_opt.paths import is_file
from momentum_opt.results.evidence import read_evidence, write_evidence
from momentum_opt.results.files import write_json
from momentum_opt.results.records import read_best
from momentum_opt.results.run_folder import RunFolder, default_folder
from momentum_opt.results.verdict_section import VERDICT, verdict_section

MOST_COMBINATIONS: Final = 200

_OPENING: Final = "[{("
_CLOSING: Final = "]})"


@dataclass(frozen=True)
class Combination:
    """One run of a sweep.

    Attributes:
        name: `chunk_period=60, maximum_change=0.001`.
        fingerprint: what is searched.
        config_text: the configuration as the user wrote it.
        run_dir: its folder.
        study_name: of its study where the storage is shared.
    """

    name: str
    fingerprint: Fingerprint
    config_text: str
    run_dir: Path
    study_name: str | None = None


def combinations_of(
    config: Path, overrides: Sequence[str], over: Sequence[str], parent: Path | None = None
) -> list[Combination]:
    """Every combination of the values, the last option's changing fastest; nothing is written.

    Args:
        config: the configuration.
        overrides: `a.b=value` each, laid over it first.
        over: `a.b=value,value,…` each.
        parent: folder of the run folders; None takes `runs`.

    Raises:
        UsageError: an option is no such list, or there are too few or too many combinations, or two are one run.
        ConfigError: a combination is no configuration.
    """
    lists = [_values(text) for text in over]
    keys = [key for key, _ in lists]
    twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
    if twice is not None:
        raise UsageError(f"--over {twice}: given twice; give all of its values in one list")
    count = 1
    for _, values in lists:
        count *= len(values)
    if count > MOST_COMBINATIONS:
        raise UsageError(
            f"--over: {count:,} combinations, and a sweep has {MOST_COMBINATIONS} at most; give fewer values"
        )
    if count < 2:
        raise UsageError("--over: one combination alone; give two values or more, or use tune --set")
    found: dict[str, Combination] = {}
    for values in product(*(values for _, values in lists)):
        one = _combination(config, overrides, list(zip(keys, values, strict=True)), parent)
        digest = one.fingerprint.digest
        if digest in found:
            raise UsageError(
                f"--over: {found[digest].name} and {one.name} are one run, since nothing that changes a trial differs; "
                "sweep other keys, or leave one of the values out"
            )
        found[digest] = one
    return list(found.values())


def sweep_page(config: Path, combinations: Sequence[Combination]) -> Path:
    """The page of a sweep: `<stem>-sweep-<digest>.html` beside its run folders."""
    digests = "".join(sorted(one.fingerprint.digest for one in combinations))
    name = f"{config.stem}-sweep-{hashlib.sha256(digests.encode()).hexdigest()[:8]}.html"
    return combinations[0].run_dir.parent / name


def _combination(
    config: Path, overrides: Sequence[str], values: Sequence[tuple[str, str]], parent: Path | None
) -> Combination:
    settings = [OptionSetting(f"{key}={value}", f"--over {key}={value}") for key, value in values]
    fingerprint, text = read_configuration(config, [*overrides, *settings])
    search = fingerprint.search
    if search.study_name is not None:
        raise UsageError(
            f"search.study_name: {search.study_name} is one study, and every combination needs its own; leave it out"
        )
    folder = default_folder(config, fingerprint)
    folder = folder if parent is None else parent / folder.name
    name = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in values)
    return Combination(name, fingerprint, text, folder, folder.name if search.storage != "journal" else None)


def _values(text: str) -> tuple[str, list[str]]:
    """`a.b=1,2` → its key and values; a comma in brackets or quotes separates nothing.

    Raises:
        UsageError: it is something else, or a value is missing or stands twice.
    """
    key, equals, listed = (part.strip() for part in text.partition("="))
    if not key or not equals:
        raise UsageError(f"--over {text}: no list of values; write section.key=VALUE,VALUE,…")
    values, depth, quote = [""], 0, ""
    for letter in listed:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += (letter in _OPENING) - (letter in _CLOSING) if not quote else 0
        if letter == "," and depth == 0 and not quote:
            values.append("")
        else:
            values[-1] += letter
    values = [value.strip() for value in values]
    if not all(values):
        raise UsageError(f"--over {text}: a value is missing; write {key}=VALUE,VALUE,…")
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise UsageError(f"--over {text}: {twice} stands twice; leave one out")
    return key, values


def share_evidence(combinations: Sequence[Combination]) -> None:
    """Have evidence and verdict of every run count the candidates of all of them; those without evidence are left out.

    A run that a larger sweep has told of more candidates keeps them: they were tried.

    Args:
        combinations: whose runs have ended.

    Raises:
        RunFolderError: a file of a run is damaged.
    """
    folders = [(one, RunFolder(one.run_dir)) for one in combinations]
    found = [(one, folder, read_evidence(folder.evidence)) for one, folder in folders if is_file(folder.evidence)]
    total = sum(findings.candidates.own for _, _, findings in found)
    if all(findings.candidates.distinct >= total for _, _, findings in found):
        return  # told already, or there is one alone
    from momentum_opt.api.sharing import pooled_overfittings  # these import JAX
    from momentum_opt.evidence.together import among_all

    runs = [(one.fingerprint, folder, findings) for one, folder, findings in found]
    overfittings = pooled_overfittings(runs)
    for fingerprint, folder, findings in runs:
        if findings.candidates.distinct >= total:
            continue
        others = total - findings.candidates.own
        shared = among_all(findings, others, fingerprint.evidence, overfittings)
        with folder.held():
            write_evidence(folder.evidence, shared)
            best = read_best(folder.best)
            write_json(folder.best, {**best, VERDICT: verdict_section(shared, best)})
