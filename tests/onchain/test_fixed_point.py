from collections.abc import Callable
from fractions import Fraction

import mpmath
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from momentum_opt.onchain.fixed_point import ONE, div, exp2, from_decimal, from_float, log2, mul, power, truncated
from tests.shared_data import golden, needs_shared

FUNCTIONS: dict[str, Callable[..., int]] = {"log2": log2, "exp2": exp2, "pow": power, "mul": mul, "div": div}
WORD = 2**127
numbers = st.integers(-WORD, WORD)
positive = st.integers(1, WORD)


def exactly(value: int) -> mpmath.mpf:
    """A contract number as a real one, with digits to spare."""
    return mpmath.mpf(value) / ONE


@pytest.fixture(autouse=True, scope="module")
def _precision():
    with mpmath.workdps(80):
        yield


@needs_shared
@pytest.mark.parametrize("name", FUNCTIONS)
def test_golden(name: str):
    rows = [row for row in golden("onchain_math.json")["rows"] if row["function"] == name]
    assert len(rows) >= 30
    for row in rows:
        arguments = [from_decimal(row[key]) for key in ("x", "y") if key in row]
        assert FUNCTIONS[name](*arguments) == from_decimal(row["value"]), row


@example(7 * ONE, -1)  # the least there is below zero
@given(numbers, numbers)
def test_mul_is_exact_and_rounds_half_up_in_magnitude(x: int, y: int):
    product = abs(Fraction(x * y, ONE))
    result = mul(x, y)
    assert Fraction(-1, 2) < abs(result) - product <= Fraction(1, 2)
    assert result == 0 or (result < 0) == (x * y < 0)


@given(numbers, numbers.filter(bool))
def test_div_is_exact_and_truncates(x: int, y: int):
    quotient = abs(Fraction(x * ONE, y))
    result = div(x, y)
    assert 0 <= quotient - abs(result) < 1
    assert result == 0 or (result < 0) == ((x < 0) != (y < 0))


@given(positive)
def test_log2(x: int):
    assert abs(log2(x) - mpmath.log(exactly(x), 2) * ONE) <= 60


@given(st.integers(-59 * ONE, 191 * ONE))
def test_exp2(x: int):
    true = mpmath.power(2, exactly(x)) * ONE
    assert abs(exp2(x) - true) <= true * mpmath.mpf("1e-18") + 1


@given(st.integers(1, ONE))
def test_power_of_three(x: int):
    assert abs(power(x, 3 * ONE) - exactly(x) ** 3 * ONE) <= 100


@given(numbers, numbers.filter(bool))
def test_truncated_goes_toward_zero(x: int, y: int):
    assert truncated(x, y) == int(Fraction(x, y))


def test_the_ends_of_the_ranges():
    assert log2(ONE) == 0
    assert log2(2**40 * ONE) == 40 * ONE
    assert exp2(0) == ONE
    assert exp2(-59_794705707972522262) == 0
    assert exp2(-59_794705707972522261) == 1
    assert power(0, 3 * ONE) == 0
    assert power(0, 0) == ONE
    with pytest.raises(ValueError, match="`x` must be above 0"):
        log2(0)
    with pytest.raises(OverflowError, match="`x` must be below 192"):
        exp2(192 * ONE)
    with pytest.raises(ZeroDivisionError):
        div(1, 0)


@pytest.mark.parametrize(
    ("text", "value"), [("1", ONE), ("-0.5", -ONE // 2), ("0.000000000000000001", 1), ("12.25", 49 * ONE // 4)]
)
def test_decimals(text: str, value: int):
    assert from_decimal(text) == value


@pytest.mark.parametrize("text", ["0.0000000000000000001", "one", ""])
def test_no_decimal(text: str):
    with pytest.raises(ValueError):
        from_decimal(text)


@given(st.floats(1e-12, 1e12))
def test_a_float_gives_its_nearest_unit(value: float):
    assert abs(Fraction(from_float(value), ONE) - Fraction(value)) <= Fraction(1, 2 * ONE)


@needs_shared
def test_every_function_of_the_golden_file_is_looked_at():
    assert {row["function"] for row in golden("onchain_math.json")["rows"]} <= set(FUNCTIONS)
