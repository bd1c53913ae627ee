"""What a rule between values of a configuration is, and how rules are collected."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from momentum_opt.fingerprint.mistakes import Mistake, Path
from momentum_opt.fingerprint.sections import RunConfig

Check = Callable[[RunConfig], Iterator[Mistake]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check and the values it reads, apart from those that it reports on one by one.

    It is left out where one of them is already a mistake of its own.
    """

    reads: tuple[Path, ...]
    check: Check


def rules_into(rules: list[Rule]) -> Callable[..., Callable[[Check], Check]]:
    """A decorator that appends checks to `rules`; it takes the values that they read, as dotted keys."""

    def rule(*reads: str) -> Callable[[Check], Check]:
        def register(check: Check) -> Check:
            rules.append(Rule(tuple(tuple(path.split(".")) for path in reads), check))
            return check

        return register

    return rule
