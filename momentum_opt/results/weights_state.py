"""Write and read the state file of a live pool."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import Fingerprint, listed
from momentum_opt.onchain.live import Move, Position
from momentum_opt.paths import exists
from momentum_opt.pool import POOLS
from momentum_opt.results.files import SCHEMA_VERSION, read_json, refuse_changed
from momentum_opt.results.parameters import by_token, internal_form
from momentum_opt.results.run_folder import utc_ms, utc_text
from momentum_opt.study.candidates import ParamSet

KIND: Final = "weights state"
_HINT: Final = "give the file as weights wrote it, or another --state"


def state_document(position: Position, time_ms: int, params: ParamSet, fingerprint: Fingerprint) -> dict[str, Any]:
    """The position after the update at `time_ms` (UTC ms), keyed by token, and whose it is."""
    tokens = fingerprint.tokens

    def table(values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        return {name: by_token(np.asarray(value), tokens) for name, value in values.items()}

    return {
        "kind": KIND,
        "digest": fingerprint.digest,
        "params": params_digest(params, fingerprint),
        "time": utc_text(time_ms),
        "estimator": table(position.carry),
        "change": by_token(np.asarray(position.change), tokens),
        "weights": table(position.move._asdict()),
    }


def read_state(path: Path, params: ParamSet, fingerprint: Fingerprint) -> tuple[Position, int] | None:
    """The position and its time (UTC ms); None where there is no file yet.

    Raises:
        ParamsError: the file is no state of this version, or the state of another pool.
    """
    if not exists(path):
        return None
    document = read_json(path, "a state file of weights", _HINT)
    if document.get("kind") != KIND or document.get("schema_version") != SCHEMA_VERSION:
        raise ParamsError(f"{path}: not a state file of this version; {_HINT}")
    theirs = (document.get("digest"), document.get("params"))
    ours = (fingerprint.digest, params_digest(params, fingerprint))
    differing = [
        name for name, one, other in zip(("configuration", "parameters"), theirs, ours, strict=True) if one != other
    ]
    if differing:
        raise ParamsError(
            f"{path}: the state of a pool with other {' and '.join(differing)}; give another --state for this pool"
        )
    try:
        names = POOLS[fingerprint.pool.rule].get_initial_rule_state(
            jnp.ones(len(fingerprint.tokens)), params, fingerprint
        )
        carry = {name: _values(document["estimator"][name], fingerprint.tokens) for name in names}
        move = Move(*(_values(document["weights"][name], fingerprint.tokens) for name in Move._fields))
        change = _values(document["change"], fingerprint.tokens)
        found = Position(carry, change, move), utc_ms(document["time"])
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ParamsError(f"{path}: cannot be read ({type(error).__name__}: {error}); {_HINT}") from None
    refuse_changed(document, path, _HINT)
    return found


def params_digest(params: ParamSet, fingerprint: Fingerprint) -> str:
    """SHA-256 of the parameters by token."""
    content = json.dumps(internal_form(params, fingerprint.tokens), sort_keys=True, allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _values(table: Mapping[str, Any], tokens: tuple[str, ...]) -> Any:
    if set(table) != set(tokens):
        raise ValueError(f"tokens {listed(sorted(table))}")
    values = np.array([float(table[token]) for token in tokens])
    if not np.isfinite(values).all():
        raise ValueError("a number is not finite")
    return jnp.asarray(values)
