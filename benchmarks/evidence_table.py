"""Lines of `make bench-evidence` in; its table, and the curve of what is found over the strength, out."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import beta

from benchmarks.lines import Row

HEAD: Final = (
    "| strength | tunes | found | all rules met | excess on fresh days: found | not found | excess on train | "
    "deflated Sharpe ratio, median | smallest that would pass, median | candidates, median | seconds |"
)


def table(rows: Sequence[Row]) -> str:
    """Markdown. Shares stand with their Clopper–Pearson intervals of 95 %, means with their standard errors."""
    tunes = [row for row in rows if row["kind"] == "tune"]
    lines = [HEAD, "|---" * HEAD.count(" |") + "|"]
    for strength in sorted({row["strength"] for row in tunes}):
        own = [row for row in tunes if row["strength"] == strength]
        found = [row for row in own if row["found"]]
        missed = [row for row in own if not row["found"]]
        cells = [
            f"{strength:g}",
            str(len(own)),
            _share(len(found), len(own)),
            _share(sum(row["all_met"] for row in own), len(own)),
            _mean([row["test_excess"] for row in found]),
            _mean([row["test_excess"] for row in missed]),
            _mean([row["train_excess"] for row in own]),
            _median([row["deflated_sharpe"] for row in own], ".3f"),
            _median([row["detectable"] for row in own], ".2f"),
            _median([row["candidates"] for row in own], ",.0f"),
            _median([row["seconds"] for row in own], ".1f"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    walks = [row for row in rows if row["kind"] == "walk"]
    if walks:
        ahead, significant = (sum(map(met, walks)) for met in (_ahead, _significant))
        lines += [
            "",
            f"Walk-forwards at strength 0: {len(walks)}; ahead {_share(ahead, len(walks))}, significant "
            f"{_share(significant, len(walks))}; seconds, median {_median([row['seconds'] for row in walks], '.1f')}.",
        ]
    return "\n".join(lines)


def _ahead(row: Row) -> bool:
    return bool(row["ahead"])


def _significant(row: Row) -> bool:
    return bool(row["rules"]["excess"])


def interval(found: int, count: int) -> tuple[float, float]:
    """Clopper–Pearson, 95 %."""
    low = 0.0 if found == 0 else float(beta.ppf(0.025, found, count - found + 1))
    high = 1.0 if found == count else float(beta.ppf(0.975, found + 1, count - found))
    return low, high


def _share(found: int, count: int) -> str:
    low, high = interval(found, count)
    return f"{found / count:.1%} ({low:.1%} to {high:.1%})"


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "–" if not values else f"{values[0]:.2f}"
    return f"{statistics.fmean(values):.2f} ± {statistics.stdev(values) / len(values) ** 0.5:.2f}"


def _median(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(statistics.median(known), form) if known else "–"


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Draw the share found, and the excess on train and on fresh days, over the strength; same bytes for same lines."""
    tunes = [row for row in rows if row["kind"] == "tune"]
    strengths = sorted({row["strength"] for row in tunes})
    with mpl.rc_context({"svg.hashsalt": "evidence", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(7.2, 2.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        for place, (key, label) in enumerate((("found", "found"), ("all_met", "all rules met"))):
            counts = [[bool(row[key]) for row in tunes if row["strength"] == one] for one in strengths]
            shares = np.array([sum(own) / len(own) for own in counts])
            ends = np.array([interval(sum(own), len(own)) for own in counts])
            left.errorbar(
                strengths, shares, yerr=np.abs(ends.T - shares), marker="o", ms=3, lw=1.2, capsize=2, label=label,
                color=f"C{place}",
            )  # fmt: skip
        left.axhline(0.05, color="0.5", lw=0.8, ls=":")
        left.set(xlabel="true annual excess Sharpe ratio of the best pool", ylabel="share of tunes", ylim=(-0.02, 1.02))
        kinds = (("train_excess", None, "train"), ("test_excess", True, "fresh days, found"))
        for place, (key, wanted, label) in enumerate((*kinds, ("test_excess", False, "fresh days, not found"))):
            some = [
                (one, [row[key] for row in tunes if row["strength"] == one and wanted in (None, row["found"])])
                for one in strengths
            ]
            known = [(one, np.mean(own), np.std(own) / max(1, len(own) - 1) ** 0.5) for one, own in some if own]
            if known:
                at, means, errors = map(np.array, zip(*known, strict=True))
                style = {"marker": "o", "ms": 3, "lw": 1.2, "capsize": 2, "color": f"C{place + 2}"}
                right.errorbar(at, means, yerr=1.96 * errors, label=label, **style)
        right.plot(strengths, strengths, color="0.5", lw=0.8, ls=":", label="the best pool")
        right.set(xlabel="true annual excess Sharpe ratio of the best pool", ylabel="annual excess Sharpe ratio")
        for panel in (left, right):
            panel.grid(visible=True, lw=0.3)
            panel.legend(frameon=False, fontsize=7)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
