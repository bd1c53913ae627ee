"""Mark the trials of a search (SPEC §12): each carries the digest of its fingerprint and a checksum of its content."""

import copy
import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

DIGEST: Final = "fingerprint_digest"
"""Attribute of a trial: the digest of the fingerprint that it was scored with."""

CHECKSUM: Final = "content_checksum"
"""Attribute of a trial: that of everything else in it that a search reads."""

FINISHED: Final = (TrialState.COMPLETE, TrialState.FAIL)


def sealed(trial: FrozenTrial, digest: str) -> FrozenTrial:
    """The finished trial with the digest of its fingerprint and its checksum."""
    marked = copy.copy(trial)
    marked.user_attrs = {**trial.user_attrs, DIGEST: digest}
    marked.user_attrs[CHECKSUM] = checksum(marked)
    return marked


def claims_a_search(trial: FrozenTrial) -> bool:
    """Whether the trial says that it is of a search: one that does not was added by another program."""
    return DIGEST in trial.user_attrs or CHECKSUM in trial.user_attrs


def is_as_written(trial: FrozenTrial) -> bool:
    """Whether a trial that claims to be of a search is as this program wrote it."""
    attributes = trial.user_attrs
    return DIGEST in attributes and trial.state in FINISHED and attributes.get(CHECKSUM) == checksum(trial)


def is_of(trial: FrozenTrial, digest: str) -> bool:
    """Whether the trial was scored with the fingerprint of this digest."""
    return trial.user_attrs.get(DIGEST) == digest


def checksum(trial: FrozenTrial) -> str:
    """128 bits over state, values, parameters, their ranges, and all attributes but the checksum itself.

    The text under it is canonical: sorted keys, and floats in the shortest form that gives the same number. Times are
    left out: nothing reads them, and a storage keeps them in a zone of its own.
    """
    content = [
        trial.state.name,
        None if trial.values is None else [_plain(value) for value in trial.values],
        {name: [_plain(value), _range_of(trial, name)] for name, value in trial.params.items()},
        trial.system_attrs,
        {key: value for key, value in trial.user_attrs.items() if key != CHECKSUM},
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _range_of(trial: FrozenTrial, name: str) -> Mapping[str, Any]:
    return vars(trial.distributions[name])


def _plain(value: Any) -> Any:
    """The value; SQLite does not keep the sign of a zero."""
    return value + 0.0 if isinstance(value, float) else value
