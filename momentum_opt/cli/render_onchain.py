"""Show deployment, rehearsal and next weights in a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from momentum_opt.cli.render import text_table, verdict_lines
from momentum_opt.units import counted

Document = Mapping[str, Any]

SHOWN_DAYS = 12
"""Days of a rehearsal on the terminal; all of them are in --json and --out."""

_STAGES = {
    "arithmetic": "18-decimal arithmetic",
    "nine_decimals": "nine decimals",
    "rails": "standing at a rail",
    "delay": "late updates",
    "missed": "missed updates",
}


def deployment_lines(document: Document) -> Iterator[str]:
    """Tokens and values, then the rules."""
    readable, contract = document["readable"], document["contract"]
    tokens = document["tokens"]
    yield text_table(("token", "address"), [(token, readable["address"][token]) for token in tokens])
    yield ""
    columns = ("token", "k per day", "memory (days)", "λ", "κ", "initial weight")
    yield text_table(
        columns,
        [
            (
                token,
                f"{readable['k_per_day'][token]:.4g}",
                f"{readable['memory_days'][token]:.4g}",
                f"{readable['lambda'][token]:.9f}",
                f"{readable['kappa'][token]:.6g}",
                f"{readable['initial_weights'][token]:.9f}",
            )
            for token in tokens
        ],
    )
    yield ""
    settings = ("epsilonMax", "absoluteWeightGuardRail", "maxTradeSizeRatio")
    yield "; ".join(f"{name} {int(contract[name]) / 1e18:.6g}" for name in settings)
    yield f"first update {document['first_update']}, then every {contract['updateInterval']} s"
    state = document["state"]
    yield f"state: {counted(state['chunk_prices'], 'price')}, the last of {state['last_price']}"
    rules = document["rules"]
    yield f"\ncontract checks: {len(rules)} of {len(rules)} passed"
    for rule in rules:
        yield f"  {rule['rule']}: {rule['found']}"
    yield ""
    yield from carried_verdict(document)
    if document["turnover"] is not None:
        yield f"weight turnover: {document['turnover']['per_year']:.4g} per year, {document['turnover']['period']}"


def carried_verdict(document: Document) -> Iterator[str]:
    """The verdict on the parameters, with its rules, or that there is none."""
    verdict = document["verdict"]
    if verdict is None:
        yield "verdict: none recorded with these parameters"
        return
    yield from verdict_lines(verdict, verdict["detectable"])


def rehearsal_lines(document: Document, days: Sequence[Document]) -> Iterator[str]:
    """The days that differ most, where the gap comes from, and the verdict."""
    window, updates = document["window"], document["updates"]
    done = counted(updates["done"], "update")
    yield f"{window['start']} to {window['end']}, {done}; initial state {document['initial_state']}"
    yield ""
    yield _days_table(days, sorted(document["tokens"]))
    yield ""
    yield _gap_table(document)
    yield ""
    step = document["resolution"]["smallest_step"]
    yield f"smallest step of a weight that moves: {step:.3g} per update"
    yield _updates_line(updates)
    for warning in document["warnings"]:
        yield f"warning: {warning}"
    verdict = document["verdict"]
    word, sign = ("holds", "≤") if verdict["holds"] else ("fails", ">")
    worst = f"largest difference of a weight {verdict['largest_weight_difference']:.3g}"
    yield f"verdict: {word}: {worst} {sign} {verdict['tolerance']:g}"


def _days_table(days: Sequence[Document], tokens: Sequence[str]) -> str:
    def difference(day: Document) -> float:
        return max(abs(day[f"contract_weight_{token}"] - day[f"simulated_weight_{token}"]) for token in tokens)

    shown = sorted(sorted(days, key=difference)[-SHOWN_DAYS:], key=lambda day: day["time"])
    columns = ("the days that differ most", *tokens, "largest difference", "value", "contract's")
    return text_table(
        columns,
        [
            (
                _moment(day["time"]),
                *(f"{day[f'simulated_weight_{token}']:.4f}" for token in tokens),
                f"{difference(day):.2e}",
                f"{day['simulated_value']:,.0f}",
                f"{day['contract_value']:,.0f}",
            )
            for day in shown
        ],
    )


def _moment(time: str) -> str:
    """A day, or the last bar of one with its time."""
    day, clock = time[:10], time[11:16]
    return day if clock == "00:00" else f"{day} {clock}"


def _gap_table(document: Document) -> str:
    rows = {_STAGES[stage]: gap for stage, gap in document["shares"].items()}
    return text_table(
        ("where the gap comes from", "largest weight", "mean weight", "largest value", "final value"),
        [
            (
                name,
                f"{gap['largest_weight']:.2e}",
                f"{gap['mean_weight']:.2e}",
                f"{gap['largest_value']:.2e}",
                f"{gap['final_value']:+.2e}",
            )
            for name, gap in {**rows, "all of it": document["gap"]}.items()
        ],
    )


def _updates_line(updates: Document) -> str:
    parts = [
        f"days on which the pool stood still at a rail: {len({time[:10] for time in updates['frozen_at_a_rail']})}"
    ]
    if updates["delay_seconds"]:
        parts.append(f"updates {updates['delay_seconds']} s late")
    if updates["missed"]:
        parts.append(f"{counted(len(updates['missed']), 'update')} missed (seed {updates['seed']})")
    return "; ".join(parts)


def weights_lines(document: Document) -> Iterator[str]:
    """The coming interval, token by token."""
    weights = document["weights"]
    yield f"update at {document['time']}; interpolating until {document['moving_until']}"
    yield ""
    yield text_table(
        ("token", "now", "end of interval", "target", "per minute", "per second"),
        [
            (
                token,
                f"{weights['start'][token]:.9f}",
                f"{weights['end'][token]:.9f}",
                f"{weights['target'][token]:.9f}",
                f"{weights['multiplier_per_minute'][token]:+.3e}",
                f"{weights['multiplier_per_second'][token]:+.3e}",
            )
            for token in weights["start"]
        ],
    )
    yield ""
    yield f"next update: {document['next_update']}"
    yield from carried_verdict(document)
