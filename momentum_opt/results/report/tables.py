"""Tables of the report: documents and findings in, plain rows of text out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from momentum_opt.evidence.findings import Findings, SharpeFindings
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.baselines import coinciding, joint_label
from momentum_opt.results.price_notes import price_notes
from momentum_opt.results.report.content import Content, Document
from momentum_opt.results.report.wording import (
    FEWEST_TO_ANNUALISE,
    RETURN_PARTS,
    TOO_SHORT,
    limit_words,
    meaningless_note,
    metric_value,
    number,
    percent,
    too_short,
)
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import FOR_COMPARISON, METRICS
from momentum_opt.vocabulary.names import PERIOD_LABELS
from momentum_opt.vocabulary.rules import FORM_LABELS

SHOWN_METRICS: Final = (
    "daily_log_sharpe",
    "information_ratio",
    "returns",
    "returns_over_hodl",
    "annualised_returns",
    "max_drawdown",
    "weight_turnover",
)
BASELINE_METRICS: Final = ("daily_log_sharpe", "returns", "max_drawdown")


@dataclass(frozen=True)
class Group:
    """Rows under a heading of their own; an empty heading shows none."""

    heading: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        caption: what it shows.
        header: names of the columns; the first one holds the names of the rows.
        groups: rows.
        note: how to read it.
        wraps: whether the last column holds words rather than numbers.
    """

    caption: str
    header: tuple[str, ...]
    groups: tuple[Group, ...]
    note: str = ""
    wraps: bool = False


def table(
    caption: str, header: Iterable[str], rows: Iterable[tuple[str, ...]], note: str = "", *, wraps: bool = False
) -> Table:
    """A table with one group of rows."""
    return Table(caption, tuple(header), (Group("", tuple(rows)),), note, wraps)


def metric_table(content: Content) -> Table:
    """The objective's metric and a few others per period, the same of each baseline below."""
    metrics, baselines = content.document["metrics"], content.document["baselines"]
    periods, days = list(metrics), content.document.get("days", {})
    names = list(dict.fromkeys((*content.fingerprint.objective.names, *SHOWN_METRICS)))
    groups = [
        Group(
            "this pool",
            tuple(_row(name, {period: metrics[period].get(name) for period in periods}, days) for name in names),
        )
    ]
    known = {
        baseline: [baselines[period][baseline].get(name) for name in BASELINE_METRICS for period in periods]
        for baseline in PERIOD_LABELS
        if all(baseline in baselines[period] for period in periods)
    }
    for same in coinciding(known):
        rows = [
            _row(name, {period: baselines[period][same[0]].get(name) for period in periods}, days)
            for name in BASELINE_METRICS
        ]
        groups.append(Group(joint_label(same, PERIOD_LABELS), tuple(rows)))
    note = f"Every baseline begins anew with each period. Sharpe ratios are annualised.{_short_note(days)}"
    shown = [(name, metrics[period].get(name)) for name in names for period in periods]
    note += _meaningless_note(shown)
    return Table("Results per period", ("", *map(_with_days(content), periods)), tuple(groups), note)


def limits_table(content: Content) -> Table | None:
    """Each limit, the pool's figure on train, and whether it keeps it; None where no metric has a limit."""
    limits = content.document.get("limits")
    if not limits:
        return None
    rows = (
        (name, metric_value(name, one["value"]), limit_words(one), "yes" if one["kept"] else "no")
        for name, one in limits.items()
    )
    return table("Limits on train", ("metric", "this pool", "limit", "kept"), rows)


def every_metric_table(content: Content) -> Table:
    """All metrics of all periods, with what each means."""
    metrics, days = content.document["metrics"], content.document.get("days", {})
    groups = [
        Group(
            heading,
            tuple(
                (*_row(name, {period: metrics[period].get(name) for period in metrics}, days), info.description)
                for name, info in METRICS.items()
                if info.for_comparison == bool(heading)
            ),
        )
        for heading in ("", FOR_COMPARISON)
    ]
    shown = [(name, values.get(name)) for name in METRICS for values in metrics.values()]
    note = f"{_short_note(days)}{_meaningless_note(shown)}".strip()
    return Table("All metrics", ("metric", *metrics, "meaning"), tuple(groups), note, wraps=True)


def parameter_table(content: Content) -> Table:
    """Token by token what the rule has of: k per day, memory in days, decay λ, its own parameters; initial weight."""
    readable = content.document["readable"]
    written = {"lamb": "{:.6f}".format, "initial_weights": percent}
    rows = (
        (token, *(written.get(name, number)(values[token]) for name, values in readable.items()))
        for token in content.tokens
    )
    capped = "As simulated, after the cap of max_memory_days. " if "memory_days" in readable else ""
    note = f"{capped}best.json holds the full digits."
    return table("Parameters", ("token", *(FORM_LABELS.get(name, name) for name in readable)), rows, note)


def fees_table(content: Content) -> Table | None:
    """What liquidity providers and the protocol earned; None without costs."""
    earned = content.document.get("fees_earned")
    if not content.fingerprint.costs.has_costs or not earned:
        return None
    names = {"liquidity_providers": "liquidity providers", "protocol": "protocol"}
    rows = ((label, *(_money(earned[period].get(name)) for period in earned)) for name, label in names.items())
    start = content.fingerprint.pool.initial_pool_value
    note = f"In the numeraire, of a pool of {start:,.0f} at the start."
    return table("Fees earned", ("", *earned), rows, note)


def decomposition_table(content: Content) -> Table | None:
    """Each period's log return in parts; None for a result of an earlier version."""
    parts = content.document.get("decomposition")
    if not parts:
        return None
    rows = ((label, *(percent(parts[period][name]) for period in parts)) for name, label in RETURN_PARTS.items())
    note = (
        "HODL from the period's start holds the pool's reserves of that day. Moving the weights is what trading to the "
        "pool's weights on an exchange adds to that; loss versus rebalancing is what the pool loses to it, fees earned "
        "included."
    )
    return table("Where the return comes from", ("", *parts), rows, note)


def sharpe_table(findings: Findings) -> Table:
    """The statistics behind the verdict: excess and absolute returns side by side."""
    kinds = (findings.excess, findings.absolute)
    rows = [(name, *(_statistic(kind, name) for kind in kinds)) for name in _STATISTICS]
    counts = findings.candidates
    note = (
        f"Over {counted(findings.excess.n_observations, 'daily log return')} of train. "
        f"{counted(counts.trials, 'trial')} ({counts.failed:,} failed), {counts.screened:,} screened; "
        f"{counted(counts.distinct, 'distinct candidate')}. "
        "The verdict reads the first column: in a rising market absolute returns call any long position skilled."
    )
    reasons = [f"{name}: {why}" for kind in kinds for name, why in kind.reasons.items()]
    if reasons:
        note += f" Not computed: {'; '.join(dict.fromkeys(reasons))}."
    header = ("", "over the constant-weight pool", "own returns")
    return table("Sharpe ratio of the winner, deflated", header, rows, note)


def data_table(data: Document) -> Table:
    """Price files: rows, times, filled minutes and digests."""
    rows = (
        (
            file["token"],
            file["file"] or "a table in memory",
            f"{file['rows']:,}",
            file["first"].replace("T", " ").removesuffix(":00Z"),
            file["last"].replace("T", " ").removesuffix(":00Z"),
            f"{file['filled_minutes']:,}",
            file["sha256"],
        )
        for file in data["files"]
    )
    source = "Prices of a table in memory" if data["root"] is None else f"Folder {data['root']}"
    note = (
        f"{source}; bars of {counted(data['bar_minutes'], 'minute')}; "
        f"{counted(data['burn_in_days'], 'day')} of history before the start. Times are UTC; the digest is SHA-256 of "
        "the used rows. A minute without a row holds the last close."
    )
    note = " ".join([note, *(f"{line[:1].upper()}{line[1:]}." for line in price_notes(data))])
    header = ("token", "file", "rows", "first", "last", "minutes filled", "SHA-256")
    return table("Price files", header, rows, note, wraps=True)


def fingerprint_table(fingerprint: Fingerprint, digest: str) -> Table:
    """Every setting of the configuration, by section."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for key, value in _flat(fingerprint.to_yaml_form()):
        head, _, tail = key.partition(".")
        sections.setdefault(head if tail else "", []).append((tail or head, _text(value)))
    groups = tuple(Group(head, tuple(rows)) for head, rows in sorted(sections.items(), key=lambda one: one[0] != ""))
    return Table("Configuration", ("key", "value"), groups, f"Digest {digest}.", wraps=True)


def study_table(document: Document) -> Table:
    """How the winner was found, and with which versions."""
    study = document.get("study")
    rows: list[tuple[str, str]] = []
    if study:
        rows += [
            ("study", str(study["name"])),
            ("winner", f"trial {document['trial']}"),
            ("trials", f"{study['n_trials']:,}, {study['n_failed']:,} failed"),
            *_beside_rows(study),
            ("sampler", f"{study['sampler']}, seed {study['seed']}"),
        ]
    rows.append(("written", str(document["created"])))
    rows += [(name, str(version)) for name, version in document["versions"].items()]
    return table("Study and versions", ("", ""), rows)


def _beside_rows(study: Document) -> Iterable[tuple[str, str]]:
    """What was scored beside the trials of the sampler; nothing of an older best.json that does not say."""
    if study.get("n_neighbours"):
        yield "trials near an earlier winner", f"{study['n_neighbours']:,}"
    if study.get("n_points"):
        yield "points scored", f"{study['n_points']:,}"


_STATISTICS: Final[Mapping[str, str]] = {
    "Sharpe ratio, annual": "annual_sharpe",
    "Sharpe ratio, per day": "sharpe",
    "95 % interval, per day": "interval",
    "skewness": "skewness",
    "kurtosis (normal: 3)": "kurtosis",
    "expected maximum without skill, per day": "expected_maximum",
    "probabilistic Sharpe ratio": "probabilistic_sharpe",
    "deflated Sharpe ratio": "deflated_sharpe",
    "probability of backtest overfitting": "overfitting",
    "out-of-sample on in-sample slope": "slope",
    "probability of loss out of sample": "loss",
}


def _statistic(kind: SharpeFindings, name: str) -> str:
    what = _STATISTICS[name]
    if what == "interval":
        return "–" if kind.interval is None else f"{number(kind.interval.low, 3)} to {number(kind.interval.high, 3)}"
    if what in ("overfitting", "slope", "loss"):
        found = kind.overfitting
        if found is None:
            return "–"
        return (
            number(found.slope, 3)
            if what == "slope"
            else percent(found.probability if what == "overfitting" else found.loss_probability)
        )
    value = getattr(kind, what)
    return percent(value) if what.endswith(("probabilistic_sharpe", "deflated_sharpe")) else number(value)


def _row(name: str, values: Mapping[str, float | None], days: Mapping[str, int]) -> tuple[str, ...]:
    """A metric's name and its values by period, marked where they were annualised from too few days."""
    cells = (
        f"{metric_value(name, value)}{too_short(name, value, days.get(period))}" for period, value in values.items()
    )
    return (name, *cells)


def _short_note(days: Mapping[str, int]) -> str:
    return f" {TOO_SHORT}." if any(count < FEWEST_TO_ANNUALISE for count in days.values()) else ""


def _meaningless_note(figures: Sequence[tuple[str, float | None]]) -> str:
    note = meaningless_note(figures)
    return f" {note[0].upper()}{note[1:]}." if note else ""


def _with_days(content: Content) -> Any:
    days = {name: (end - begin).days for name, begin, end in content.borders()}
    return lambda period: f"{period}, {counted(days[period], 'day')}" if period in days else period


def _money(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _flat(one, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value) if value != {} else "–"
