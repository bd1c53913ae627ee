"""Say what a result's prices should be looked at for (SPEC §2): the record of its data to one line per token."""

from collections.abc import Mapping
from typing import Any

from momentum_opt.market.wording import utc
from momentum_opt.results.run_folder import utc_ms
from momentum_opt.units import counted


def price_notes(data: Mapping[str, Any]) -> list[str]:
    """One line for each token with filled minutes, jumps or another token's closes.

    Args:
        data: the `data` section of a result, as `prices_record` makes it; an older one may tell less.
    """
    found = ((file["token"], _parts(file, data["bar_minutes"])) for file in data["files"])
    return [f"prices of {token}: {'; '.join(parts)}" for token, parts in found if parts]


def repaired(data: Mapping[str, Any]) -> str | None:
    """The share of filled minutes, over all tokens and of each that has any; None where there are none.

    Args:
        data: as `price_notes` takes it.
    """
    filled = {file["token"]: file["filled_minutes"] for file in data["files"]}
    if not any(filled.values()):
        return None
    total = {file["token"]: _minutes(file, data["bar_minutes"]) for file in data["files"]}
    each = ", ".join(f"{token} {_percent(count / total[token])}" for token, count in filled.items() if count)
    share = _percent(sum(filled.values()) / sum(total.values()))
    return f"data repaired: {share} of the minutes hold an earlier close ({each})"


def _parts(file: Mapping[str, Any], bar_minutes: int) -> list[str]:
    filled, jumps, same = file["filled_minutes"], file.get("jumps") or {}, file.get("same_closes") or ()
    parts: list[str] = []
    if filled:
        total = _minutes(file, bar_minutes)
        longest = file.get("longest_gap_minutes")
        gap = "" if longest is None else f", longest gap {counted(longest, 'minute')}"
        parts.append(
            f"{filled:,} of {counted(total, 'minute')} ({_percent(filled / total)}) hold an earlier close{gap}"
        )
    if jumps.get("count"):
        count, time = jumps["count"], utc(utc_ms(jumps["time"]))
        largest = f", the largest {jumps['largest']:+,.1%}".replace("%", " %")
        parts.append(f"{counted(count, 'jump')} over 20 % in one bar{largest} at {time}")
    if same:
        parts.append(f"the same closes as {', '.join(same)}")
    return parts


def _minutes(file: Mapping[str, Any], bar_minutes: int) -> int:
    """Of prices and filled ones together."""
    return file["filled_minutes"] + file["rows"] * bar_minutes


def _percent(share: float) -> str:
    return "less than 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"
