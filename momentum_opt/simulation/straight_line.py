"""A formula of numbers that JAX has traced, written out as lines of Python: one formula, two compilers.

The loop with costs is compiled a second time by Numba (see `minute_kernel`). Both take the arbitrage from `pool/`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_SAME = frozenset({"convert_element_type", "broadcast_in_dim", "reshape", "squeeze", "copy", "stop_gradient"})
"""What changes nothing of a single number."""

_LINES: Mapping[str, str] = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "abs": "abs({})",
    "square": "{0} * {0}",
    "gt": "{} > {}",
    "lt": "{} < {}",
    "ge": "{} >= {}",
    "le": "{} <= {}",
    "eq": "{} == {}",
    "and": "{} & {}",
    "or": "{} | {}",
    "not": "not {}",
    "max": "choose({0} > {1}, {0}, {1})",
    "min": "choose({0} < {1}, {0}, {1})",
    "select_n": "choose({0}, {2}, {1})",
    "log1p": "math.log1p({})",
    "exp": "math.exp({})",
    "expm1": "math.expm1({})",
}


class StraightLine(NamedTuple):
    """Assignments in order, and what stands for each result."""

    lines: tuple[str, ...]
    results: tuple[str, ...]


def straight_line(traced: Any, names: Sequence[str], prefix: str) -> StraightLine:
    """Write out a closed jaxpr whose arguments and results are all single numbers.

    Args:
        traced: from `jax.make_jaxpr`.
        names: of its arguments, in order.
        prefix: of the names that are assigned.

    Raises:
        NotImplementedError: the formula uses an operation that is not in the table above.
    """
    writer = _Writer(prefix)
    results = writer.write(traced, list(names))
    return StraightLine(tuple(writer.lines), tuple(results))


class _Writer:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.lines: list[str] = []

    def write(self, closed: Any, arguments: Sequence[str]) -> list[str]:
        known: dict[Any, str] = dict(zip(closed.jaxpr.constvars, map(_literal, closed.consts), strict=True))
        known.update(zip(closed.jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> str:
            return _literal(atom.val) if hasattr(atom, "val") else known[atom]

        for equation in closed.jaxpr.eqns:
            operands = [read(atom) for atom in equation.invars]
            known.update(zip(equation.outvars, self._results(equation, operands), strict=True))
        return [read(atom) for atom in closed.jaxpr.outvars]

    def _results(self, equation: Any, operands: Sequence[str]) -> list[str]:
        name = equation.primitive.name
        inner = equation.params.get("jaxpr")
        if inner is not None:
            return self.write(inner, operands)
        if name in _SAME:
            return [operands[0]]
        if name not in _LINES:
            raise NotImplementedError(f"{name} has no line of Python yet; add it to the table of straight_line")
        result = f"{self._prefix}{len(self.lines)}"
        self.lines.append(f"{result} = {_LINES[name].format(*operands)}")
        return [result]


def _literal(value: Any) -> str:
    """Brackets, because a negative number may come after a minus sign."""
    if np.asarray(value).dtype == bool:
        return repr(bool(value))
    number = float(value)
    if not np.isfinite(number):
        raise NotImplementedError(f"{number} has no literal")
    return f"({number!r})"
