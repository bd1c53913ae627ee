"""The contract's guard rails and speed limit (SPEC §14): wanted weights in, weights that may be set out.

Integers scaled by 1e18. One pass, as the simulation does: for four tokens and more a weight just above the floor can
be scaled below it, and stays there.
"""

from momentum_opt.onchain.fixed_point import ONE, div, mul
from momentum_opt.onchain.rule import Row


def clamp(wanted: Row, floor: int) -> Row:
    """Clip to [floor, 1 − (n−1)·floor] and share what is left among the tokens that are not at the floor."""
    ceiling = ONE - (len(wanted) - 1) * floor
    clipped = tuple(min(max(weight, floor), ceiling) for weight in wanted)
    remainder = ONE - sum(floor for weight in wanted if weight < floor)
    free = sum(kept for weight, kept in zip(wanted, clipped, strict=True) if weight >= floor)
    if free == 0:
        return clipped
    scale = div(remainder, free)
    return tuple(weight if weight == floor else mul(weight, scale) for weight in clipped)


def limit_speed(previous: Row, wanted: Row, largest_change: int) -> Row:
    """Scale all changes down where one exceeds `largest_change` (epsilonMax), then repair the sum.

    What the sum has too much leaves the largest weight; what it lacks goes to the second largest.
    """
    steps = [new - old for new, old in zip(wanted, previous, strict=True)]
    largest = max(map(abs, steps))
    weights = list(wanted)
    if largest > largest_change:
        scale = div(largest_change, largest)
        weights = [old + mul(step, scale) for old, step in zip(previous, steps, strict=True)]
    lack = ONE - sum(weights)
    by_size = sorted(range(len(weights)), key=lambda place: -weights[place])  # stable: ties keep the lowest first
    weights[by_size[1] if lack > 0 else by_size[0]] += lack
    return tuple(weights)


def guarded_weights(previous: Row, wanted: Row, floor: int, largest_change: int) -> Row:
    """`clamp`, then `limit_speed`."""
    return limit_speed(previous, clamp(wanted, floor), largest_change)
