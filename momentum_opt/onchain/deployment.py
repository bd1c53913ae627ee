"""The values a pool is deployed with (SPEC §14): one record, and its JSON section both ways.

Tokens and every per-token list are in the contract's order: ascending address.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import listed, show
from momentum_opt.onchain.contract import ContractPool, ContractSettings
from momentum_opt.onchain.motion import resting
from momentum_opt.onchain.rule import Row, RuleParameters, RuleState

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,77})")  # what 256 bits hold
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True)
class Deployment:
    """Deployment values; integers are scaled by 1e18.

    Attributes:
        tokens: names.
        addresses: checksummed; None for a rehearsal that knows none.
        lamb: decays, one or one per token.
        kappa: one or one per token.
        epsilon_max: largest change of a weight per update.
        guard_rail: smallest weight.
        update_interval: seconds.
        max_trade_size_ratio: a setting of the pool that no simulation knows.
        initial_weights: nine decimals, sum exactly one.
        moving_averages: e before the first price the contract reads.
        intermediates: a before it.
        first_update: time from which the first update is meant, in seconds since 1970 (UTC).
    """

    tokens: tuple[str, ...]
    addresses: tuple[str, ...] | None
    lamb: Row
    kappa: Row
    epsilon_max: int
    guard_rail: int
    update_interval: int
    max_trade_size_ratio: int
    initial_weights: Row
    moving_averages: Row
    intermediates: Row
    first_update: int

    @property
    def settings(self) -> ContractSettings:
        """The settings of the contract model."""
        rule = RuleParameters(self.lamb, self.kappa)
        return ContractSettings(rule, self.epsilon_max, self.guard_rail, self.update_interval)

    @property
    def pool(self) -> ContractPool:
        """The pool as created, one interval before its first update."""
        state = RuleState(self.moving_averages, self.intermediates)
        return ContractPool(state, resting(self.initial_weights, self.first_update - self.update_interval))

    def to_section(self) -> dict[str, Any]:
        """The JSON section `contract`: 18-decimal integers as strings, in the contract's own names."""
        return {
            "tokens": list(self.addresses or ()),
            "lambda": _strings(self.lamb),
            "ruleParameters": [_strings(self.kappa)],
            "epsilonMax": str(self.epsilon_max),
            "absoluteWeightGuardRail": str(self.guard_rail),
            "updateInterval": self.update_interval,
            "maxTradeSizeRatio": str(self.max_trade_size_ratio),
            "initialWeights": _strings(self.initial_weights),
            "initialMovingAverages": _strings(self.moving_averages),
            "initialIntermediateValues": _strings(self.intermediates),
        }


def parse_section(section: Mapping[str, Any], tokens: tuple[str, ...], first_update: int, where: str) -> Deployment:
    """The inverse of `to_section`.

    Args:
        section: the JSON section `contract`.
        tokens: names in the order of the section.
        first_update: seconds since 1970 (UTC).
        where: the file, for messages.

    Raises:
        ParamsError: a key is missing or unknown, a value is no integer in text, or a list has the wrong length.
    """
    reader = _Reader(section, f"{where}: contract")
    n = len(tokens)
    rows = reader.value("ruleParameters")
    if not isinstance(rows, list) or len(rows) != 1:
        raise ParamsError(
            f"{reader.where}.ruleParameters: one row of κ is rehearsed, but found {show(rows)}; export it again"
        )
    deployment = Deployment(
        tokens=tokens,
        addresses=reader.addresses(n),
        lamb=reader.row("lambda", (1, n)),
        kappa=_Reader({"ruleParameters": rows[0]}, reader.where).row("ruleParameters", (1, n)),
        epsilon_max=reader.number("epsilonMax"),
        guard_rail=reader.number("absoluteWeightGuardRail"),
        update_interval=reader.seconds("updateInterval"),
        max_trade_size_ratio=reader.number("maxTradeSizeRatio"),
        initial_weights=reader.row("initialWeights", (n,)),
        moving_averages=reader.row("initialMovingAverages", (n,)),
        intermediates=reader.row("initialIntermediateValues", (n,)),
        first_update=first_update,
    )
    unknown = sorted(set(section) - set(deployment.to_section()))
    if unknown:
        raise ParamsError(f"{reader.where}: unknown key {listed(unknown)}; give the file as export wrote it")
    return deployment


def _strings(row: Row) -> list[str]:
    return [str(value) for value in row]


@dataclass(frozen=True)
class _Reader:
    """Typed values of a JSON section, each refused by name."""

    section: Mapping[str, Any]
    where: str

    def value(self, key: str) -> Any:
        if key not in self.section:
            raise ParamsError(f"{self.where}: lacks {key}; give the file as export wrote it")
        return self.section[key]

    def number(self, key: str) -> int:
        return self._integer(self.value(key), key)

    def seconds(self, key: str) -> int:
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ParamsError(
                f"{self.where}.{key}: not whole seconds ({show(value)}); give the file as export wrote it"
            )
        return value

    def row(self, key: str, lengths: tuple[int, ...]) -> Row:
        values = self.value(key)
        if not isinstance(values, list) or len(values) not in lengths:
            wanted = " or ".join(str(length) for length in dict.fromkeys(lengths))
            raise ParamsError(f"{self.where}.{key}: not a list of {wanted}; give the file as export wrote it")
        return tuple(self._integer(value, key) for value in values)

    def addresses(self, n: int) -> tuple[str, ...] | None:
        values = self.value("tokens")
        if not isinstance(values, list) or len(values) not in (0, n):
            raise ParamsError(f"{self.where}.tokens: not a list of {n} addresses; give the file as export wrote it")
        if not all(isinstance(value, str) and _ADDRESS.fullmatch(value) for value in values):
            raise ParamsError(f"{self.where}.tokens: not all addresses of 40 hexadecimal digits; mend or export again")
        return tuple(values) or None

    def _integer(self, value: Any, key: str) -> int:
        if not isinstance(value, str) or not _INTEGER.fullmatch(value):
            raise ParamsError(
                f"{self.where}.{key}: {show(value)} is no whole number in quotes, scaled by 1e18; export it again"
            )
        return int(value)
