"""The contract's numbers (SPEC §14): integers scaled by 1e18, with its own rounding in every operation.

`ONE` is 1.0. All functions take and give such integers; where the contract's own word would overflow they raise, and
Python's integers never wrap.
"""

from fractions import Fraction
from math import isqrt
from typing import Final

ONE: Final = 10**18
"""1.0, as the contract writes it."""

DECIMALS: Final = 18

_HALF: Final = ONE // 2
_EXP2_LOWEST: Final = -59_794705707972522261
"""Below this power 2^x is less than one unit, and the contract says 0."""
_EXP2_LIMIT: Final = 192 * ONE
"""From this power on the contract reverts."""
_EXTRA_BITS: Final = 128


def truncated(numerator: int, denominator: int) -> int:
    """Division of integers as the contract does it: toward zero, where Python's `//` goes down.

    Raises:
        ZeroDivisionError: the denominator is 0; the contract reverts.
    """
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def mul(x: int, y: int) -> int:
    """x·y, rounded half up in magnitude."""
    magnitude = (abs(x) * abs(y) + _HALF) // ONE
    return magnitude if (x < 0) == (y < 0) else -magnitude


def div(x: int, y: int) -> int:
    """x/y, truncated in magnitude."""
    return truncated(x * ONE, y)


def log2(x: int) -> int:
    """log₂ x, bit by bit; its last digits are the contract's, not the true ones.

    Raises:
        ValueError: x is not above 0; the contract reverts.
    """
    if x <= 0:
        raise ValueError(f"`x` must be above 0 for a logarithm, but got {x}")
    if x < ONE:
        return -log2(ONE * ONE // x)
    whole = (x // ONE).bit_length() - 1
    result = whole * ONE
    y = x >> whole
    if y == ONE:
        return result
    bit = _HALF
    while bit > 0:
        y = y * y // ONE
        if y >= 2 * ONE:
            result += bit
            y >>= 1
        bit >>= 1
    return result


def exp2(x: int) -> int:
    """2^x.

    Raises:
        OverflowError: x is 192 or more; the contract reverts.
    """
    if x < 0:
        return 0 if x < _EXP2_LOWEST else ONE * ONE // exp2(-x)
    if x >= _EXP2_LIMIT:
        raise OverflowError(f"`x` must be below 192 for a power of two, but got {x / ONE:.6g}")
    z = (x << 64) // ONE
    result = 1 << 191
    for place, factor in enumerate(_FACTORS):
        if z >> (63 - place) & 1:
            result = (result * factor) >> 64
    return (result * ONE) >> (191 - (z >> 64))


def power(x: int, y: int) -> int:
    """x^y = 2^(y·log₂ x); 0 for x = 0, where y is above 0."""
    if x == 0:
        return 0 if y > 0 else ONE
    return exp2(mul(log2(x), y))


def from_float(value: float) -> int:
    """The nearest unit to a float; the float's own binary digits count, not its shortest decimal."""
    return round(Fraction(value) * ONE)


def from_setting(value: float) -> int:
    """The nearest unit to a number that somebody wrote: its shortest decimal counts, so that 0.0003 is just that."""
    return round(Fraction(repr(value)) * ONE)


def from_decimal(text: str) -> int:
    """The integer of a plain decimal such as `-0.25`.

    Raises:
        ValueError: no decimal, or more than 18 digits behind the point.
    """
    value = Fraction(text) * ONE
    if value.denominator != 1:
        raise ValueError(f"`text` must be a decimal with at most {DECIMALS} digits behind the point, but got {text!r}")
    return value.numerator


def to_float(value: int) -> float:
    """The nearest float."""
    return value / ONE


def _binary_roots() -> tuple[int, ...]:
    """round(2^64 · 2^(2^−k)) for k = 1 … 64, by square roots with 128 bits to spare."""
    shift = 64 + _EXTRA_BITS
    roots: list[int] = []
    root = 2 << shift
    for _ in range(64):
        root = isqrt(root << shift)
        roots.append((root + (1 << (_EXTRA_BITS - 1))) >> _EXTRA_BITS)
    return tuple(roots)


_FACTORS: Final = _binary_roots()
