"""Price files in, all tokens on one time grid out (SPEC §2). No JAX, no configuration."""

from momentum_opt.market.load import hash_rows, load_market
from momentum_opt.market.model import Market, TokenFile
from momentum_opt.market.newest import NewestBar, newest_bar
from momentum_opt.market.sample import write_sample

__all__ = ["Market", "NewestBar", "TokenFile", "hash_rows", "load_market", "newest_bar", "write_sample"]
