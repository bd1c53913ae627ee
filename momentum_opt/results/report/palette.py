"""Colours and font of the report: one name per role, a light and a dark value each. Safe for the colour-blind."""

from typing import Final, NamedTuple


class Colour(NamedTuple):
    """A role's colour on light and on dark paper."""

    light: str
    dark: str


PALETTE: Final[dict[str, Colour]] = {
    "paper": Colour("#fefefe", "#14171b"),
    "ink": Colour("#1b1f24", "#e6e9ed"),
    "muted": Colour("#57606a", "#a6b0ba"),
    "hairline": Colour("#dde1e6", "#31373f"),
    "pool": Colour("#0b5fad", "#6cb6ff"),
    "hodl": Colour("#b8480f", "#ff9e64"),
    "uniform": Colour("#00765a", "#4cc9a0"),
    "constant": Colour("#8a4a9c", "#d6a3e3"),
    "rebalanced": Colour("#6b6200", "#d6c94f"),
}

POINT: Final = "#6f93b8"
"""Points of trials: one colour that stands out from both papers."""

TOKENS: Final = ("#4477aa", "#ddaa33", "#228833", "#ee6677", "#66ccee", "#aa3377", "#999933", "#bbbbbb")
"""Areas, one per token, the same on both papers; as many as a pool holds at most."""

FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def light(role: str) -> str:
    """The colour of a role on light paper, as files have it."""
    return PALETTE[role].light


def ink(role: str) -> str:
    """The colour of a role on the page, which is light or dark as its reader has it."""
    return f"var(--{role})"
