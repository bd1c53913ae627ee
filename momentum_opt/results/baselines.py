"""Baselines that are one and the same: their values in, groups of names and one label for each out.

With equal initial weights HODL and uniform HODL hold the same tokens; of two lines on top of each other, or two equal
rows, one looks forgotten.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

_SAME: Final = 1e-9
"""Relative distance up to which numbers are taken as one; a replay's are exact to about 1e-12."""


def coinciding(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Names whose values agree everywhere stand together; groups and names in the order given.

    Args:
        values: name → numbers, as many of each; None and NaN agree with each other alone.
    """
    numbers = {name: np.array(one, np.float64) for name, one in values.items()}  # None becomes NaN
    groups: list[list[str]] = []
    for name, one in numbers.items():
        for group in groups:
            if np.allclose(one, numbers[group[0]], rtol=_SAME, atol=0.0, equal_nan=True):
                group.append(name)
                break
        else:
            groups.append([name])
    return [tuple(group) for group in groups]


def joint_label(names: Sequence[str], labels: Mapping[str, str]) -> str:
    """One label for names that coincide: `HODL = uniform HODL`."""
    return " = ".join(labels[name] for name in names)
