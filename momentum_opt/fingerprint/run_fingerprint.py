"""The run fingerprint (SPEC §3): a validated configuration in; typed sections, a mapping and a digest out. Frozen."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Final

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.build import build_config
from momentum_opt.fingerprint.keys import (
    LEAVES,
    digested,
    digested_by_path,
    from_mapping_form,
    to_mapping_form,
    to_yaml_form,
)
from momentum_opt.fingerprint.mistakes import Mistake, Path, dotted, show
from momentum_opt.fingerprint.periods import Periods, split_periods
from momentum_opt.fingerprint.sections import (
    Baselines,
    Costs,
    Data,
    Device,
    Evidence,
    Objective,
    Pool,
    RunConfig,
    Search,
    WalkForward,
    Window,
)
from momentum_opt.units import MINUTES_PER_DAY

SCHEMA_VERSION: Final = 1
"""Version of the mapping form and of the canonical JSON; part of the digest."""

MOST_STRANGERS: Final = 100
"""Unknown keys that are looked at: a document may hold a hundred thousand."""

_DERIVED: Final = ("schema_version", "n_assets", "bout_length")


class Fingerprint(Mapping[str, Any]):
    """One run, resolved: every default filled in, nothing to be changed.

    Sections are attributes (`fingerprint.pool.chunk_period`). As a mapping it has the incumbent simulator's keys
    (`fingerprint["chunk_period"]`), plus `n_assets`, `bout_length` and `schema_version`. Two fingerprints with equal
    digests give equal trials on equal prices.
    """

    __slots__ = ("_config", "_digest", "_mapping")

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._mapping = _frozen(self.to_dict())
        self._digest = hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, name: str = "fingerprint") -> "Fingerprint":
        """The inverse of `to_dict`; keys that are left out take their defaults.

        Args:
            mapping: quantammsim's keys and values.
            name: where it came from, for messages.

        Raises:
            ConfigError: every unknown key, wrong value and broken rule.
        """
        if not isinstance(mapping, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # it comes out of files
            raise ConfigError((f"{name}: not a mapping ({show(mapping)}); give a fingerprint as it was written",))
        version = mapping.get("schema_version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            what = f"this version reads {SCHEMA_VERSION} only ({show(version)}); use the momentum-opt that wrote it"
            raise ConfigError((f"{name}: schema_version: {what}",))
        places = MappingPlaces(name)
        tree, strangers = from_mapping_form(mapping)
        unknown = [path for path in strangers if path not in _DERIVED_PATHS][:MOST_STRANGERS]
        found = [Mistake("unknown key", "remove it", at=path) for path in unknown]
        fingerprint = cls(build_config(tree, places, found=found))
        wrong = [
            Mistake(
                f"does not follow from the other keys, which give {fingerprint[key]}", "remove it", mapping[key], (key,)
            )
            for key in _DERIVED
            if mapping.get(key, fingerprint[key]) != fingerprint[key]
        ]
        if wrong:
            build_config(tree, places, found=wrong)
        return fingerprint

    def to_dict(self) -> dict[str, Any]:
        """A fresh, JSON-ready dict of everything, under quantammsim's keys."""
        derived = (SCHEMA_VERSION, self.n_assets, self.bout_length)
        return {**dict(zip(_DERIVED, derived, strict=True)), **to_mapping_form(self._config)}

    def to_yaml_form(self) -> dict[str, Any]:
        """A fresh dict of everything, by the sections and keys of a configuration file."""
        return to_yaml_form(self._config)

    def canonical_json(self) -> str:
        """The text whose SHA-256 is the digest: sorted keys, no spaces, only what can change a trial's numbers.

        Paths, n_trials, timeout, early stopping, storage, evidence and their like are not in it; a cost given as a
        file counts as `"file"` (what is in the file is compared with the prices).
        """
        content = {"schema_version": SCHEMA_VERSION, **digested(self._mapping)}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of `canonical_json`, 64 hex digits."""
        return self._digest

    @property
    def tokens(self) -> tuple[str, ...]:
        """Token names, alphabetical."""
        return self._config.tokens

    @property
    def n_assets(self) -> int:
        """Number of tokens."""
        return len(self._config.tokens)

    @property
    def window(self) -> Window:
        """Start, end, end of the test, share of validation."""
        return self._config.window

    @property
    def last_day(self) -> date:
        """End of the simulation (exclusive): the end of the test, or of the window where there is no test."""
        return self.window.test_end or self.window.end

    @property
    def pool(self) -> Pool:
        """Settings of the pool."""
        return self._config.pool

    @property
    def costs(self) -> Costs:
        """What trading costs."""
        return self._config.costs

    @property
    def objective(self) -> Objective:
        """What a trial is scored by."""
        return self._config.objective

    @property
    def search(self) -> Search:
        """How the study searches."""
        return self._config.search

    @property
    def data(self) -> Data:
        """Where the prices are."""
        return self._config.data

    @property
    def device(self) -> Device:
        """Precision and batch limit."""
        return self._config.device

    @property
    def walk_forward(self) -> WalkForward | None:
        """Folds of the walk-forward; None where the configuration names none."""
        return self._config.walk_forward

    @property
    def baselines(self) -> Baselines:
        """What the pool is compared with."""
        return self._config.baselines

    @property
    def evidence(self) -> Evidence:
        """Sizes of the luck-or-skill statistics."""
        return self._config.evidence

    @property
    def periods(self) -> Periods:
        """Train, validation and test in whole days from start."""
        window = self.window
        return split_periods(window.start, window.end, window.test_end, window.validation_fraction)

    @property
    def proposes_without_costs(self) -> bool:
        """Whether screening and memetic read the engine without costs, and trials are scored with them.

        Never where the objective or a limit is what fees earn: without costs that is nothing.
        """
        earns = "fee_yield" in (*self.objective.names, *self.objective.limits)
        return self.costs.has_costs and self.search.proposals != "same" and not earns

    def without_costs(self) -> "Fingerprint":
        """The same run where trading costs nothing and nobody else trades; arbitrages come as often."""
        free = Costs(arb_frequency=self.costs.arb_frequency)
        return Fingerprint(self._config.model_copy(update={"costs": free}))

    def with_timeout(self, seconds: float) -> "Fingerprint":
        """The same run with another timeout; the digest stays."""
        search = self._config.search.model_copy(update={"timeout": seconds})
        return Fingerprint(self._config.model_copy(update={"search": search}))

    @property
    def bout_length(self) -> int:
        """Simulated minutes + 1."""
        return (self.last_day - self.window.start).days * MINUTES_PER_DAY + 1

    def __getitem__(self, key: str) -> Any:
        return self._mapping[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mapping)

    def __len__(self) -> int:
        return len(self._mapping)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Fingerprint.from_dict, (self.to_dict(),))

    def __repr__(self) -> str:
        days = f"{self.window.start} to {self.last_day}"
        return f"Fingerprint({'/'.join(self.tokens)}, {days}, digest {self._digest[:8]})"


_DERIVED_PATHS: Final = frozenset((key,) for key in _DERIVED)
_KEY_OF: Final = {leaf.path: leaf.key for leaf in LEAVES}


class MappingPlaces:
    """Names values of a mapping by quantammsim's keys."""

    def __init__(self, name: str | FilePath) -> None:
        self._name = str(name)

    def prefix(self, path: Path, reads: Sequence[Path] = ()) -> str:  # noqa: ARG002  # as `Places` has it
        """`name: key`."""
        depth = next((n for n in range(len(path), 0, -1) if path[:n] in _KEY_OF), 0)
        key = (*_KEY_OF.get(path[:depth], ()), *path[depth:])
        return f"{self._name}: {dotted(key)}"

    def order(self, path: Path, reads: Sequence[Path] = ()) -> tuple[int, int]:  # noqa: ARG002  # as above
        """The order of the table."""
        places = [place for place, leaf in enumerate(LEAVES) if leaf.path == path[: len(leaf.path)]]
        return (0, places[0] if places else len(LEAVES))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(entry) for key, entry in value.items()})
    return tuple(value) if isinstance(value, list) else value


def fingerprint_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What differs between two fingerprints and can change a trial's numbers: (key, old value, new value).

    Keys are those of a configuration file. `old` and `new` are fingerprints, or their dicts as read from a file;
    what one of them lacks is None.
    """
    before, after = digested_by_path(old), digested_by_path(new)
    keys = list(dict.fromkeys([*before, *after]))
    return [(dotted(key), before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
