"""Price files in, all tokens on one time grid out (SPEC §2). No JAX, no configuration."""

from momentum_opt.market.external import External, ExternalFile
from momentum_opt.market.load import hash_rows, load_market
from momentum_opt.market.load_external import hash_external, with_external
from momentum_opt.market.model import Market, TokenFile
from momentum_opt.market.newest import NewestBar, newest_bar
from momentum_opt.market.oddities import Oddities
from momentum_opt.market.sample import write_sample
from momentum_opt.market.synthetic import Recipe

__all__ = [
    "External",
    "ExternalFile",
    "Market",
    "NewestBar",
    "Oddities",
    "Recipe",
    "TokenFile",
    "hash_external",
    "hash_rows",
    "load_market",
    "newest_bar",
    "with_external",
    "write_sample",
]
