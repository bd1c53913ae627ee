"""The sections' keys → a table of quantammsim's names and ours."""

from docs.hooks.tables import table
from momentum_opt.fingerprint.keys import LEAVES

MARK = "<!-- generated: keys -->"


def with_keys(page: str) -> str:
    """A page with its mark replaced by the table."""
    return page.replace(MARK, key_table())


def key_table() -> str:
    """One row per key that stands elsewhere, or under another name, than in the configuration."""
    rows = [(f"`{'.'.join(leaf.key)}`", f"`{'.'.join(leaf.path)}`") for leaf in LEAVES if leaf.key != leaf.path]
    return table(("run fingerprint", "configuration"), sorted(rows))
