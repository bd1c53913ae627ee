"""The one table of pools: a rule of the vocabulary to the pool that follows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from momentum_opt.pool.anti_momentum import AntiMomentumPool
from momentum_opt.pool.constant_weight import ConstantWeightPool
from momentum_opt.pool.momentum import MomentumPool
from momentum_opt.pool.pool import Pool

POOLS: Final[Mapping[str, Pool]] = MappingProxyType(
    {
        "momentum": MomentumPool(),
        "anti_momentum": AntiMomentumPool(),
        "constant_weight": ConstantWeightPool(),
    }
)
