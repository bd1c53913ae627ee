"""Check parameter sets as a notebook gives them, and make arrays of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.parameters import by_token, parse_params
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.space import start_params

GivenParams = Mapping[str, Mapping[str, float] | NDArray[np.float64] | float]
"""Parameter → {token: number}, (asset,) numbers in the fingerprint's order of tokens, or one number for all."""


def parsed_sets(sets: Sequence[GivenParams], fingerprint: Fingerprint) -> list[ParamSet]:
    """The same as arrays; initial weights that are left out are those that the search starts with.

    Raises:
        ParamsError: a set that the pool cannot run with; it is called sets[its place].
    """
    return [parsed_set(given, fingerprint, f"sets[{place}]") for place, given in enumerate(sets)]


def parsed_set(given: GivenParams, fingerprint: Fingerprint, where: str) -> ParamSet:
    """One of them; messages call it `where`."""
    return parse_params(_named(given, fingerprint.tokens), start_params(fingerprint), fingerprint, where)


def check_alike(sets: Sequence[ParamSet]) -> None:
    """Refuse sets that cannot be one batch.

    Raises:
        ParamsError: there is none, or two differ in what they name.
    """
    if not sets:
        raise ParamsError("sets: there is none; give at least one parameter set")
    for place, params in enumerate(sets):
        if params.keys() != sets[0].keys():
            raise ParamsError(
                f"sets[{place}]: names {', '.join(sorted(params))}, but sets[0] names {', '.join(sorted(sets[0]))}; "
                "name the same in all sets of a call"
            )


def _named(given: GivenParams, tokens: tuple[str, ...]) -> dict[str, Any]:
    return {name: by_token(value, tokens) if isinstance(value, np.ndarray) else value for name, value in given.items()}
