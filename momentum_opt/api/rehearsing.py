"""Run the contract beside the simulation over the same prices (SPEC §14)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from momentum_opt import device
from momentum_opt.api.callbacks import ignore
from momentum_opt.api.exporting import KIND
from momentum_opt.api.own_window import with_window
from momentum_opt.api.tuned_pool import TunedPool, newest_note, tuned_pool
from momentum_opt.errors import DataError, ParamsError, UsageError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.onchain.defaults import WEIGHT_TOLERANCE
from momentum_opt.onchain.deploying import build_deployment
from momentum_opt.onchain.deployment import Deployment, parse_section
from momentum_opt.onchain.history import chunk_history
from momentum_opt.onchain.keeper import Keeper
from momentum_opt.onchain.rehearsal import STAGES, Rehearsal
from momentum_opt.onchain.rehearsal import rehearse as run_rehearsal
from momentum_opt.onchain.rules import check_deployable, check_rule, deployment_rules, simulation_rules
from momentum_opt.paths import AnyPath, path_or_none
from momentum_opt.results.files import SCHEMA_VERSION, read_json, refuse_changed, why_not_writable, write_json
from momentum_opt.results.parameters import internal_form, parse_params, readable_form
from momentum_opt.results.price_notes import price_notes
from momentum_opt.results.rehearsal import rehearsal_table, write_rehearsal_plot
from momentum_opt.results.run_folder import now_text, prices_record, utc_ms, utc_text
from momentum_opt.results.tables import write_table
from momentum_opt.study.space import start_params

Document = dict[str, Any]

_FILES = ("rehearsal.json", "daily.parquet", "rehearsal.png")
_AS_EXPORTED = "give the file as export wrote it"


@dataclass(frozen=True, eq=False)
class RehearsalResult:
    """A rehearsed pool.

    Attributes:
        document: the content of rehearsal.json.
        rehearsal: both paths at every bar.
        market: the prices.
        tolerance: of the verdict.
        notes: on the prices, one line each.
    """

    document: Document
    rehearsal: Rehearsal
    market: Market
    tolerance: float
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether no weight is further from the simulation than the tolerance."""
        return self.rehearsal.gap.largest_weight <= self.tolerance


def rehearse(
    params_file: AnyPath | None = None,
    *,
    deployment_file: AnyPath | None = None,
    config: AnyPath | None = None,
    overrides: Sequence[str] = (),
    data: AnyPath | None = None,
    start: date | None = None,
    end: date | None = None,
    keeper: Keeper | None = None,
    tolerance: float = WEIGHT_TOLERANCE,
    on_note: Callable[[str], None] | None = None,
) -> RehearsalResult:
    """Run the contract model beside the simulation.

    Args:
        params_file: best.json, the folder of its run, or a document with `params`.
        deployment_file: a deployment.json in its place; the contract then runs with the integers in it.
        config: configuration, where the params file has none.
        overrides: `a.b=value` on top of it.
        data: folder of price files; None looks where the file says.
        start: first day; None: that of the recorded window.
        end: day after the last one; None: the end of the recorded window or, with `start`, of the newest whole day.
        keeper: how updates come; None: on time, all of them.
        tolerance: largest difference of a weight for the verdict.
        on_note: told in a line what the parameters say and the pool does not do, such as a memory beyond its cap.

    Raises:
        UsageError: not exactly one file is named, or an option is out of range.
        ConfigError: the pool cannot be deployed; all reasons at once.
        ParamsError: a file cannot be used.
        DataError: the prices cannot be used.
    """
    if (params_file is None) == (deployment_file is None):
        given = "neither --params nor" if params_file is None else "both --params and"
        raise UsageError(f"{given} --deployment; give one of --params and --deployment")
    if deployment_file is not None and (config is not None or overrides):
        raise UsageError("--deployment holds its own configuration; give --config or --set with --params only")
    if not tolerance > 0:
        raise UsageError(f"--tolerance: {tolerance:g} is not above 0; give for example {WEIGHT_TOLERANCE:g}")
    device.configure()
    exported: Deployment | None = None
    if deployment_file is not None:
        pool, exported = _read_deployment(Path(deployment_file), path_or_none(data))
    else:
        assert params_file is not None
        pool = tuned_pool(Path(params_file), config=path_or_none(config), overrides=overrides, data=path_or_none(data))
        pool = replace(pool, settings=True)
    check_rule(pool.fingerprint)
    fingerprint = _with_window(pool, start, end)
    market = _market(pool, fingerprint)
    deployment, begins = _deployment(pool, fingerprint, market, exported)
    check_deployable([*simulation_rules(fingerprint), *deployment_rules(deployment)])
    found = run_rehearsal(pool.params, fingerprint, deployment, market, keeper or Keeper())
    document = _document(pool, fingerprint, deployment, market, found, keeper or Keeper(), tolerance, begins)
    pool.tell(on_note or ignore)
    age = () if start is None or end is not None else (newest_note(pool.newest(), pool.chunk_ms),)
    notes = (*age, *price_notes(prices_record(market)))
    return RehearsalResult(document, found, market, tolerance, notes)


def write_rehearsal(result: RehearsalResult, out: Path) -> list[Path]:
    """Write rehearsal.json, daily.parquet and rehearsal.png.

    Raises:
        UsageError: one of them is already there, or the folder cannot be written.
    """
    check_out(out)
    paths = [out / name for name in _FILES]
    table = rehearsal_table(result.rehearsal, result.market)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_table(paths[1], table)
        write_rehearsal_plot(paths[2], table, result.market.tokens, result.tolerance)
        write_json(paths[0], result.document)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); give another --out") from error
    return paths


def check_out(out: Path) -> None:
    """Refuse a folder that cannot be written or holds a file of a rehearsal; asked before anything is computed.

    Raises:
        UsageError: naming what is there already, or why it cannot be written.
    """
    there = [str(out / name) for name in _FILES if (out / name).exists()]
    if there:
        raise UsageError(f"{', '.join(there)}: exists already; give another --out")
    reason = why_not_writable(out)
    if reason is not None:
        raise UsageError(f"{out}: cannot be written ({reason}); give another --out")


def daily_rows(result: RehearsalResult) -> list[Document]:
    """The daily table as plain rows."""
    table = rehearsal_table(result.rehearsal, result.market)
    table["time"] = table["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _read_deployment(path: Path, data: Path | None) -> tuple[TunedPool, Deployment]:
    document = read_json(path, "a deployment.json", _AS_EXPORTED)
    if document.get("kind") != KIND or document.get("schema_version") != SCHEMA_VERSION:
        raise ParamsError(f"{path}: not a deployment.json of this version; {_AS_EXPORTED}")
    try:
        source, tokens = document["source"], tuple(str(token) for token in document["tokens"])
        fingerprint = Fingerprint.from_dict(source["fingerprint"], name=f"{path}: source.fingerprint")
        recorded = source["data"]
        root, burn_in = data or Path(recorded["root"]), int(recorded["burn_in_days"])
        given, section = source["params"], document["contract"]
        first_update = utc_ms(document["first_update"]) // 1000
    except UsageError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ParamsError(f"{path}: cannot be read ({reason}); {_AS_EXPORTED}") from None
    if sorted(tokens) != list(fingerprint.tokens) or not isinstance(section, Mapping):
        raise ParamsError(f"{path}: its tokens are not those of its fingerprint; {_AS_EXPORTED}")
    params = parse_params(given, start_params(fingerprint), fingerprint, f"{path}: source")
    deployment = parse_section(section, tokens, first_update, str(path))
    refuse_changed(document, path, _AS_EXPORTED)
    return TunedPool(path, document, fingerprint, params, root, burn_in), deployment


def _with_window(pool: TunedPool, start: date | None, end: date | None) -> Fingerprint:
    return pool.fingerprint if start is None and end is None else with_window(pool.fingerprint, start, end, pool.root)


def _market(pool: TunedPool, fingerprint: Fingerprint) -> Market:
    """Prices of the window, with history from where the tuned pool's began."""
    earlier = (fingerprint.window.start - pool.fingerprint.window.start).days
    if earlier < -pool.burn_in_days:
        raise DataError(f"--start: {fingerprint.window.start} is before the history of {pool.source}; give a later day")
    end_ms = int(datetime(*fingerprint.last_day.timetuple()[:3], tzinfo=UTC).timestamp()) * 1000
    return pool.prices(fingerprint.window.start, end_ms, pool.burn_in_days + earlier)


def _deployment(
    pool: TunedPool, fingerprint: Fingerprint, market: Market, exported: Deployment | None
) -> tuple[Deployment, str]:
    """What the contract begins with at the window's start, and where that comes from."""
    history = chunk_history(market, fingerprint.pool.chunk_period, market.start_ms)
    if exported is None:
        return build_deployment(pool.params, fingerprint, history), "computed from the prices before the window"
    if exported.first_update * 1000 == market.start_ms + pool.chunk_ms:
        return exported, "as exported"
    addresses = dict(zip(exported.tokens, exported.addresses or (), strict=True))
    now = build_deployment(pool.params, fingerprint, history, addresses)
    moved = replace(
        exported,
        moving_averages=now.moving_averages,
        intermediates=now.intermediates,
        first_update=now.first_update,
    )
    return moved, (
        f"computed from the prices before the window; the exported state is for a first update at "
        f"{utc_text(exported.first_update * 1000)}"
    )


def _document(
    pool: TunedPool,
    fingerprint: Fingerprint,
    deployment: Deployment,
    market: Market,
    found: Rehearsal,
    keeper: Keeper,
    tolerance: float,
    begins: str,
) -> Document:
    resolution = found.resolution
    worst = found.gap.largest_weight
    return {
        "verdict": {
            "holds": worst <= tolerance,
            "tolerance": tolerance,
            "largest_weight_difference": worst,
        },
        "gap": asdict(found.gap),
        "shares": {stage: {"what": STAGES[stage], **asdict(gap)} for stage, gap in found.shares.items()},
        "updates": {
            "done": found.updates,
            "missed": [utc_text(time * 1000) for time in found.missed],
            "frozen_at_a_rail": [utc_text(time * 1000) for time in found.frozen],
            "delay_seconds": keeper.delay,
            "miss": keeper.miss,
            "seed": keeper.seed,
        },
        "resolution": asdict(resolution),
        "warnings": list(resolution.warnings()),
        "window": {"start": utc_text(market.start_ms), "end": utc_text(market.end_ms)},
        "initial_state": begins,
        "final_value": {
            "simulated": float(found.simulated.value[-1]),
            "contract": float(found.contract.value[-1]),
        },
        "contract": deployment.to_section(),
        "tokens": list(deployment.tokens),
        "source": {
            "file": str(pool.source),
            "params": internal_form(pool.params, fingerprint.tokens),
            "readable": readable_form(pool.params, fingerprint),
            "digest": fingerprint.digest,
            "data": str(pool.root.resolve()),
        },
        "created": now_text(),
    }
