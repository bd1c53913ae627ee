"""Pools side by side (SPEC §16): what each was found to be in; what compares, and why the rest does not, out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.fingerprint import Fingerprint, fingerprint_differences
from momentum_opt.results.baselines import coinciding, joint_label
from momentum_opt.results.report.content import finite
from momentum_opt.results.report.tables import SHOWN_METRICS
from momentum_opt.results.run_list import ListedRun
from momentum_opt.units import DAYS_PER_YEAR
from momentum_opt.vocabulary.names import BASELINE_LABELS
from momentum_opt.vocabulary.rules import FORM_LABELS, leading_forms

Document = Mapping[str, Any]
Values = NDArray[np.float64]

TEST: Final = "test"
_BASELINE_METRICS: Final = ("returns", "daily_log_sharpe", "max_drawdown")
_BASELINES: Final = ("hodl", "uniform_hodl", "constant_weight")


@dataclass(frozen=True, eq=False)
class ComparedPool:
    """One pool of a comparison.

    Attributes:
        name: as it is called in tables.
        document: its best.json, or the summary of its replay.
        fingerprint: what was simulated.
        daily: the replay day by day; None where there is none.
        run: its entry in a list of runs.
    """

    name: str
    document: Document
    fingerprint: Fingerprint
    daily: pd.DataFrame | None
    run: ListedRun


@dataclass(frozen=True)
class Row:
    """A line of a comparison: its label, one value per pool, and of a metric its name and the days of each pool."""

    label: str
    values: tuple[Any, ...]
    metric: str | None = None
    days: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class RowGroup:
    """Lines under a heading."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Pools side by side.

    Attributes:
        pools: in the order given.
        with_test: whether the test period is shown.
        looks: how often test periods were evaluated, one line each; none where no test is shown.
    """

    pools: tuple[ComparedPool, ...]
    with_test: bool = False
    looks: tuple[str, ...] = ()

    @cached_property
    def periods(self) -> tuple[str, ...]:
        """Whose metrics stand side by side: those of the same days in all pools."""
        return tuple(
            name
            for name in ("train", "validation", TEST)
            if (name != TEST or self.with_test)
            and all(name in pool.document["metrics"] for pool in self.pools)
            and len({_days_of(pool.fingerprint, name) for pool in self.pools}) == 1
        )

    @cached_property
    def same_windows(self) -> bool:
        """Whether all pools were tuned on the same days and validated on the same."""
        return len({_tuned_days(pool.fingerprint) for pool in self.pools}) == 1

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """Value of each pool by its place, over the days that all have, relative to the first; None without such."""
        if any(pool.daily is None for pool in self.pools):
            return None
        joined = pd.concat([self._values(pool, "first_lp_value", "value") for pool in self.pools], axis=1, join="inner")
        return None if len(joined) < 2 else (joined / joined.iloc[0]).set_axis(range(len(self.pools)), axis=1)

    @cached_property
    def constant(self) -> pd.Series | None:
        """The constant-weight pool over the same days, where all pools have the same one."""
        if self.curves is None or any("constant_weight_value" not in _table(pool) for pool in self.pools):
            return None
        joined = pd.concat([self._values(pool, "constant_weight_value") for pool in self.pools], axis=1, join="inner")
        joined = joined / joined.iloc[0]
        same = np.allclose(joined, joined.iloc[:, [0]], rtol=1e-9, atol=0.0)
        return joined.iloc[:, 0] if same else None

    def _values(self, pool: ComparedPool, *columns: str) -> pd.Series:
        """A column at the start of every day that is shown."""
        table, window = _table(pool), pool.fingerprint.window
        end = (window.test_end or window.end) if self.with_test else window.end
        name = next(column for column in columns if column in table)
        shown = (table["time"] < pd.Timestamp(end, tz="UTC")) & (table["time"] == table["time"].dt.floor("D"))
        return pd.Series(finite(table.loc[shown, name]), index=table.loc[shown, "time"], name=name)

    def notes(self) -> list[str]:
        """What is not compared and why, one line each."""
        return [*self._window_notes(), *self._token_notes(), *self._price_notes(), *self._other_notes()]

    def _window_notes(self) -> list[str]:
        if self.same_windows:
            return []
        spans = self._each(lambda pool: f"{pool.fingerprint.window.start} to {pool.fingerprint.window.end}")
        what = "periods of other days are not compared"
        if self.curves is None:
            return [f"windows differ ({spans}); {what}, and no days are common to all"]
        first, last = (f"{self.curves.index[place]:%Y-%m-%d}" for place in (0, -1))
        return [f"windows differ ({spans}); {what}; the days that all have, {first} to {last}, stand apart"]

    def _token_notes(self) -> list[str]:
        if len({pool.fingerprint.tokens for pool in self.pools}) == 1:
            return []
        told = self._each(lambda pool: "/".join(pool.fingerprint.tokens))
        return [f"tokens differ ({told}); parameters stand by token, and every pool has baselines of its own tokens"]

    def _price_notes(self) -> list[str]:
        """Tokens whose rows of the same days are not the same."""
        differing = {
            token
            for one, other in combinations(self.pools, 2)
            for token, mine in _files(one).items()
            for theirs in [_files(other).get(token)]
            if theirs is not None and mine[:2] == theirs[:2] and mine[2] != theirs[2]
        }
        if not differing:
            return []
        return [f"prices of {', '.join(sorted(differing))} differ over the same days; results differ by that as well"]

    def _other_notes(self) -> list[str]:
        notes: list[str] = []
        if len({(pool.run.metrics, pool.run.aggregate) for pool in self.pools}) > 1:
            notes.append(f"objectives differ ({self._each(_aim)}); their values do not compare")
        lacking = [pool.name for pool in self.pools if pool.daily is None]
        if lacking:
            notes.append(f"no daily values of {', '.join(lacking)}; no curves are compared")
        untested = [pool.name for pool in self.pools if TEST not in pool.document["metrics"]]
        if self.with_test and untested:
            notes.append(f"no test of {', '.join(untested)}; it is not compared")
        return notes

    def _each(self, words: Callable[[ComparedPool], str]) -> str:
        """What each pool has, names of pools that have the same together."""
        named: dict[str, list[str]] = {}
        for pool in self.pools:
            named.setdefault(words(pool), []).append(pool.name)
        return "; ".join(f"{told} in {', '.join(names)}" for told, names in named.items())

    def groups(self) -> list[RowGroup]:
        """Settings that differ, parameters, metrics and baselines per period, and the days that all have."""
        found = [
            RowGroup("settings that differ", tuple(self._settings())),
            RowGroup("parameters", tuple(self._parameters())),
            *(RowGroup(period, tuple(self._metrics(period))) for period in self.periods),
            *(
                RowGroup(f"baselines from the start of {period}", tuple(self._baselines(period)))
                for period in self.periods
            ),
        ]
        if not self.same_windows and self.curves is not None:
            found.append(RowGroup("days that all have", tuple(self._common())))
        return [group for group in found if group.rows]

    def settings(self) -> dict[str, list[Any]]:
        """Configuration key → value of each pool, for keys whose values differ."""
        first = self.pools[0].fingerprint
        differing = [
            {key: (old, new) for key, old, new in fingerprint_differences(first, pool.fingerprint)}
            for pool in self.pools
        ]
        known = {key: old for one in differing for key, (old, _) in one.items()}
        return {key: [one.get(key, (old, old))[1] for one in differing] for key, old in known.items()}

    def _settings(self) -> Iterable[Row]:
        for key, values in self.settings().items():
            yield Row(key, tuple(_plain(value) for value in values))

    def _parameters(self) -> Iterable[Row]:
        forms = dict.fromkeys(form for pool in self.pools for form in _forms(pool))
        tokens = dict.fromkeys(token for pool in self.pools for token in pool.fingerprint.tokens)
        for form in forms:
            for token in tokens:
                values = tuple(pool.document["readable"].get(form, {}).get(token) for pool in self.pools)
                if any(value is not None for value in values):
                    yield Row(f"{FORM_LABELS.get(form, form)}, {token}", values)

    def _metrics(self, period: str) -> Iterable[Row]:
        names = dict.fromkeys(name for pool in self.pools for name in pool.run.metrics)
        days = tuple(pool.document.get("days", {}).get(period) for pool in self.pools)
        for name in dict.fromkeys((*names, *SHOWN_METRICS)):
            yield Row(name, tuple(pool.document["metrics"][period].get(name) for pool in self.pools), name, days)

    def _baselines(self, period: str) -> Iterable[Row]:
        known = {
            baseline: {
                name: tuple(pool.document["baselines"][period].get(baseline, {}).get(name) for pool in self.pools)
                for name in _BASELINE_METRICS
            }
            for baseline in _BASELINES
        }
        days = tuple(pool.document.get("days", {}).get(period) for pool in self.pools)
        flat = {baseline: [one for values in table.values() for one in values] for baseline, table in known.items()}
        for same in coinciding(flat):
            for name, values in known[same[0]].items():
                yield Row(f"{joint_label(same, BASELINE_LABELS)}: {name}", values, name, days)

    def _common(self) -> Iterable[Row]:
        """Figures of the daily values, since a pool's metrics are of its own periods."""
        curves = self.curves
        assert curves is not None
        values = curves.to_numpy(np.float64)
        steps = np.diff(np.log(values), axis=0)
        spread = steps.std(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            sharpe = np.where(spread > 0.0, steps.mean(axis=0) / spread, np.nan) * DAYS_PER_YEAR**0.5
        falls = (values / np.maximum.accumulate(values, axis=0) - 1.0).min(axis=0)
        days = (len(values),) * len(self.pools)
        for name, figures in (("returns", values[-1] - 1.0), ("daily_log_sharpe", sharpe)):
            yield Row(name, tuple(map(float, figures)), name, days)
        yield Row("drawdown of daily values", tuple(map(float, falls)), "max_drawdown", days)

    def as_document(self) -> dict[str, Any]:
        """Plain values; figures of the test only where it is shown."""
        return {
            "with_test": self.with_test,
            "notes": self.notes(),
            "test_looks": list(self.looks),
            "pools": [self._plain(pool) for pool in self.pools],
            "groups": [
                {
                    "heading": group.heading,
                    "rows": [{"label": row.label, "values": list(row.values)} for row in group.rows],
                }
                for group in self.groups()
            ],
        }

    def _plain(self, pool: ComparedPool) -> dict[str, Any]:
        def shown(table: Mapping[str, Any]) -> dict[str, Any]:
            return {name: one for name, one in table.items() if name != TEST or self.with_test}

        window, document = pool.fingerprint.window, pool.document
        return {
            **pool.run.as_document(),
            "name": pool.name,
            "tokens": list(pool.fingerprint.tokens),
            "window": {"start": str(window.start), "end": str(window.end)},
            "digest": document["digest"],
            "params": document["params"],
            "readable": document["readable"],
            "metrics": shown(document["metrics"]),
            "baselines": shown(document["baselines"]),
            "verdict": document.get("verdict"),
        }


def unique_names(paths: Sequence[str]) -> list[str]:
    """Short names of paths that are all different: the last parts, as many as it takes."""
    parts = [[part for part in path.split("/") if part not in ("", ".")] for path in paths]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(one[-depth:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return list(paths)


def _table(pool: ComparedPool) -> pd.DataFrame:
    assert pool.daily is not None
    return pool.daily


def _forms(pool: ComparedPool) -> Iterable[str]:
    readable = pool.document["readable"]
    return dict.fromkeys((*leading_forms(readable), *(["initial_weights"] if "initial_weights" in readable else [])))


def _aim(pool: ComparedPool) -> str:
    return f"{' / '.join(pool.run.metrics)} ({pool.run.aggregate})"


def _tuned_days(fingerprint: Fingerprint) -> tuple[Any, ...]:
    return _days_of(fingerprint, "train"), _days_of(fingerprint, "validation")


def _days_of(fingerprint: Fingerprint, period: str) -> tuple[date, int, int] | None:
    """First day of the window, and the days of a period counted from there."""
    days = getattr(fingerprint.periods, period)
    return None if days is None else (fingerprint.window.start, *days)


def _files(pool: ComparedPool) -> dict[str, tuple[str, str, str]]:
    files = pool.document["data"]["files"]
    return {file["token"]: (file["first"], file["last"], file["sha256"]) for file in files}


def _plain(value: Any) -> str:
    """A setting as a configuration has it."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return "none" if value is None else str(value).removesuffix(" 00:00:00")  # of a date
