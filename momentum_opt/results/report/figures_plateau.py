"""Figures of the winner's neighbourhood: spread of the objective per parameter, and maps over k and memory."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from momentum_opt.evidence.findings import Cloud, Findings, HeatMap, PlateauFindings
from momentum_opt.results.report.canvas import Canvas, Plot
from momentum_opt.results.report.palette import light
from momentum_opt.results.report.wording import number, parameter_label, plain_ticks

_MAP: Final = "cividis"
_COLUMNS: Final = 3
_ROLES: Final = ("pool", "uniform", "hodl")
"""Colour per radius, smallest first."""


def plateau_plots(findings: Findings | None, sign: int) -> list[Plot]:
    """Clouds and maps, those that were computed; `sign` is −1 where a lower objective is better."""
    if findings is None or findings.plateau is None:
        return []
    found = findings.plateau
    clouds = [one for one in found.clouds if one.quantiles]
    plots = [_clouds(found, clouds)] if clouds else []
    maps = [one for one in found.heat_maps if any(value is not None for row in one.objective for value in row)]
    return [*plots, _maps(maps, sign)] if maps else plots


def _clouds(found: PlateauFindings, clouds: list[Cloud]) -> Plot:
    names = list(dict.fromkeys(one.parameter for one in clouds))
    names = [*(name for name in names if name == "joint"), *(name for name in names if name != "joint")]
    radii = sorted({one.radius for one in clouds})

    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(
            len(names) * (10.0 * len(radii) + 6.0),
            left=116.0 if canvas.narrow else 130.0,
            top=56.0 if canvas.narrow else 24.0,
        )
        for one in clouds:
            place = radii.index(one.radius)
            y = names.index(one.parameter) + 0.24 * (place - (len(radii) - 1) / 2)
            low, lower, middle, upper, high = one.quantiles
            colour = light(_ROLES[place % len(_ROLES)])
            axes.plot([low, high], [y, y], color=colour, lw=1.0)
            axes.plot([lower, upper], [y, y], color=colour, lw=4.0, solid_capstyle="butt")
            axes.plot([middle], [y], "o", color=colour, ms=5.5, mec=light("paper"), mew=1.0)
        for place, radius in enumerate(radii):
            axes.plot([], [], color=light(_ROLES[place % len(_ROLES)]), lw=4.0, label=f"within {100 * radius:g} %")
        axes.axvline(found.winner, color=light("ink"), lw=0.9, label="winner")
        if found.baseline is not None:
            axes.axvline(found.baseline, color=light("constant"), lw=1.2, dashes=(4.0, 2.0), label="constant weights")
        axes.set_yticks(range(len(names)), [parameter_label(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("objective")
        axes.grid(visible=False, axis="y")
        canvas.legend(axes, 2 if canvas.narrow else 5, right=True, columnspacing=1.2)

    kept = (
        ""
        if found.share_kept is None
        else (
            f" Of the sets with every parameter moved within {100 * found.radius:g} % of its range, "
            f"{100 * found.share_kept:.0f} % keep nine tenths of the gain over the constant-weight pool."
        )
    )
    return Plot(
        key="plateau",
        title="What happens when the parameters are a little off",
        alt=f"Spread of the objective around the winner's {number(found.winner)}, one row per parameter.{kept}",
        caption="The objective of parameter sets near the winner, one parameter moved at a time and all at once, "
        f"within a share of each search range: median, middle half (thick), and 5 % to 95 % (thin).{kept}",
        draw=draw,
    )


def _maps(maps: list[HeatMap], sign: int) -> Plot:
    values = [np.array([[np.nan if x is None else x for x in row] for row in one.objective]) for one in maps]
    every = np.concatenate([one[np.isfinite(one)] for one in values])
    # The worst tenth shares a colour, so that the better cells differ.
    low, high = sorted((sign * float(np.quantile(sign * every, 0.1)), sign * float((sign * every).max())))
    ends = (f"≤ {number(low, 3)}", number(high, 3)) if sign > 0 else (number(low, 3), f"≥ {number(high, 3)}")

    def draw(canvas: Canvas) -> None:
        columns = 1 if canvas.narrow else min(_COLUMNS, len(maps))
        rows = -(-len(maps) // columns)
        panels = canvas.panels(
            *[190.0] * rows, columns=columns, top=58.0, between=66.0, beside=44.0, left=48.0, bottom=38.0, right=16.0
        )
        drawn = None
        for place, (axes, one, table) in enumerate(zip(panels, maps, values, strict=False)):
            drawn = axes.pcolormesh(
                one.k_per_day,
                one.memory_days,
                np.ma.masked_invalid(table),
                cmap=_MAP if sign > 0 else f"{_MAP}_r",
                vmin=low,
                vmax=high,
                shading="nearest",
                rasterized=True,
            )
            axes.plot(
                [one.winner_k_per_day], [one.winner_memory_days], "X", ms=9, color="#ffffff", mec="#000000", mew=1.0
            )
            axes.set_title("all tokens" if one.token == "all" else one.token)
            _log_axes(axes, one)
            if place % columns == 0:
                axes.set_ylabel("memory (days)")
            axes.set_xlabel("k per day")
        for unused in panels[len(maps) :]:
            unused.set_visible(False)
        if drawn is not None:
            _, tall = canvas.figure.get_size_inches() * 72.0
            across = min(200.0, canvas.width - 120.0)
            box = canvas.figure.add_axes(
                ((canvas.width - across - 14.0) / canvas.width, 1 - 22.0 / tall, across / canvas.width, 10.0 / tall)
            )
            bar = canvas.figure.colorbar(drawn, cax=box, orientation="horizontal", ticks=[low, (low + high) / 2, high])
            bar.ax.set_xticklabels([ends[0], number((low + high) / 2, 3), ends[1]])
            bar.outline.set_visible(False)  # type: ignore[operator]
            canvas.figure.text(
                (canvas.width - across - 26.0) / canvas.width,
                1 - 17.0 / tall,
                "objective",
                ha="right",
                va="center",
                fontsize=10.0,
            )

    where = "; ".join(
        f"{one.token}: {number(one.winner_k_per_day, 3)} per day, {number(one.winner_memory_days, 3)} days"
        for one in maps
    )
    return Plot(
        key="maps",
        title="Objective over k and memory",
        alt=f"Heat maps of the objective over k per day and memory, one per token. The winner lies at {where}.",
        caption="The objective on train over k per day and memory of one token, everything else as the winner has it; "
        "the cross is the winner. A good winner lies on a broad bright area, not on a lone bright cell.",
        draw=draw,
    )


def _log_axes(axes: Axes, one: HeatMap) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(visible=False)
    for axis, sides in ((axes.xaxis, one.k_per_day), (axes.yaxis, one.memory_days)):
        axis.set_minor_locator(NullLocator())
        axis.set_major_locator(FixedLocator(_decades(min(sides), max(sides))))
        axis.set_major_formatter(FuncFormatter(plain_ticks))


def _decades(low: float, high: float) -> list[float]:
    """At most five powers of ten between two numbers; where they hold fewer than two, their ends."""
    powers = [10.0**power for power in range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)]
    step = -(-len(powers) // 5)
    return powers[::step] if len(powers) > 1 else [low, high]
