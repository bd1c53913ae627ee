"""Write and read evidence.json (SPEC §13, §15)."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from momentum_opt.errors import RunFolderError
from momentum_opt.evidence.effort import settings_for
from momentum_opt.evidence.findings import Findings
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.checksums import CHECKSUMS
from momentum_opt.results.files import read_json, refuse_changed, write_json
from momentum_opt.study.trials import TrialRecord

_FINDINGS = TypeAdapter(Findings)
_REMADE: Final = "remove the file, and tune again: it is made anew"
_ADDED: Final = ("schema_version", CHECKSUMS)


def evidence_document(findings: Findings) -> dict[str, Any]:
    """The findings as plain values."""
    return asdict(findings)


def write_evidence(path: Path, findings: Findings) -> None:
    """Write evidence.json under a temporary name and rename it."""
    write_json(path, evidence_document(findings))


def read_evidence(path: Path) -> Findings:
    """The findings of an evidence.json.

    Raises:
        MissingFileError: there is none.
        RunFolderError: it has been changed so that it cannot be read.
    """
    document = read_json(path, "a run folder's evidence.json", _REMADE)
    try:
        found = _FINDINGS.validate_python({name: document[name] for name in document.keys() - {*_ADDED}})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RunFolderError(f"{path}: {place}: {first['msg']}; {_REMADE}") from None
    refuse_changed(document, path, _REMADE)
    return found


def counted_others(path: Path) -> int:
    """Candidates of other combinations of a sweep that an evidence.json counts, whichever winner it tells of."""
    try:
        return read_evidence(path).candidates.others
    except (RunFolderError, OSError):
        return 0


def recorded_evidence(
    path: Path, fingerprint: Fingerprint, records: Sequence[TrialRecord], winner: TrialRecord
) -> Findings | None:
    """The findings of an evidence.json that tells of this winner among these trials, with these settings; else None."""
    try:
        found = read_evidence(path)
    except (RunFolderError, OSError):
        return None
    told = (found.trial, found.candidates.trials, {"quick": False, **found.settings})  # older ones were all in full
    sampled = sum(record.counts for record in records)
    return found if told == (winner.number, sampled, settings_for(fingerprint, records).model_dump()) else None
