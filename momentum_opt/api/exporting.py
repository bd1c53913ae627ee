"""Write the values that deploy a tuned pool on chain (SPEC §14)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from momentum_opt import device
from momentum_opt.api.callbacks import ignore
from momentum_opt.api.tuned_pool import TunedPool, newest_note, tuned_pool
from momentum_opt.errors import DataError, UsageError
from momentum_opt.fingerprint import recordable
from momentum_opt.market.wording import utc
from momentum_opt.onchain.addresses import read_addresses
from momentum_opt.onchain.defaults import MAX_TRADE_SIZE_RATIO
from momentum_opt.onchain.deploying import build_deployment
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.fixed_point import to_float
from momentum_opt.onchain.history import chunk_history
from momentum_opt.onchain.live import start_ms
from momentum_opt.onchain.rules import RuleCheck, check_deployable, check_rule, deployment_rules, simulation_rules
from momentum_opt.paths import AnyPath, path_or_none
from momentum_opt.results.best import versions
from momentum_opt.results.files import write_json
from momentum_opt.results.holdout import looks_beside, looks_document, recorded_holdout
from momentum_opt.results.look_lines import holdout_document
from momentum_opt.results.parameters import internal_form, readable_form
from momentum_opt.results.price_notes import price_notes
from momentum_opt.results.run_folder import now_text, prices_record, utc_text
from momentum_opt.results.verdict_section import VERDICT, recorded_turnover, recorded_verdict, why_not_accepted

Document = dict[str, Any]

KIND = "deployment"


@dataclass(frozen=True)
class ExportResult:
    """What a pool is deployed with.

    Attributes:
        document: the content of deployment.json.
        deployment: the values in it.
        notes: on the prices, one line each.
    """

    document: Document
    deployment: Deployment
    notes: tuple[str, ...] = ()


def export(
    params_file: AnyPath,
    addresses: AnyPath,
    *,
    at: datetime | None = None,
    config: AnyPath | None = None,
    data: AnyPath | None = None,
    max_trade_size_ratio: float = MAX_TRADE_SIZE_RATIO,
    accept_verdict: bool = False,
    on_note: Callable[[str], None] | None = None,
) -> ExportResult:
    """The deployment values of a tuned pool, with every rule of the contract checked, and its verdict.

    Args:
        params_file: best.json, the folder of its run, or a document with `params`.
        addresses: YAML file, one line `TOKEN: 0x…` per token.
        at: time of the first update; the state holds prices up to one chunk before it. None: as late as the prices
            allow.
        config: configuration, where the params file has none.
        data: folder of price files; None looks where best.json or the configuration says.
        max_trade_size_ratio: largest trade as a share of the reserves; a setting that no simulation knows.
        accept_verdict: export the result of a search although its verdict has a rule that is not met, or there is none.
        on_note: told in a line what the parameters say and the pool does not do, such as a memory beyond its cap.

    Raises:
        UsageError: `at` or the ratio is out of range, or the verdict is not accepted.
        ConfigError: the addresses are wrong, or the pool cannot be deployed; all reasons at once.
        ParamsError: the params file cannot be used.
        DataError: the prices cannot be used, or do not reach to one chunk before `at`.
    """
    if not math.isfinite(max_trade_size_ratio):
        raise UsageError(f"--max-trade-size-ratio: {max_trade_size_ratio} is no share; give for example 0.1")
    device.configure()
    pool = tuned_pool(Path(params_file), config=path_or_none(config), data=path_or_none(data))
    check_rule(pool.fingerprint)
    by_token = read_addresses(Path(addresses), pool.fingerprint.tokens)
    newest = pool.newest()
    last_ms = _last_price_ms(pool, newest.time_ms, at)
    market = pool.history_to(replace(newest, time_ms=last_ms))
    history = chunk_history(market, pool.fingerprint.pool.chunk_period, last_ms)
    deployment = build_deployment(pool.params, pool.fingerprint, history, by_token, max_trade_size_ratio)
    checks = [*simulation_rules(pool.fingerprint), *deployment_rules(deployment)]
    check_deployable(checks)
    found = _result(pool)
    _check_verdict(pool, found[VERDICT], accept_verdict=accept_verdict)
    pool.tell(on_note or ignore)
    document = _document(pool, deployment, checks, len(history.times_ms), found)
    age = () if at is not None else (newest_note(newest, pool.chunk_ms),)
    return ExportResult(document, deployment, (*age, *price_notes(prices_record(market))))


def write_export(result: ExportResult, out: Path, *, force: bool = False) -> bool:
    """Write deployment.json; True where it took the place of another file.

    Raises:
        UsageError: there is a file already and `force` is not given, or it cannot be written.
    """
    there = out.exists()
    if there and not force:
        raise UsageError(f"{out}: exists already; give another --out, or replace it with --force")
    try:
        write_json(out, result.document)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); give another --out") from None
    return there


def _check_verdict(pool: TunedPool, verdict: Document | None, *, accept_verdict: bool) -> None:
    why = why_not_accepted(pool.document, verdict)
    if why is not None and not accept_verdict:
        raise UsageError(f"{pool.source}: {why}; add --accept-verdict to export it all the same")


def _result(pool: TunedPool) -> Document:
    """What is known of the parameters: verdict, figures of the test period and how often it was evaluated, turnover."""
    document = pool.document
    metrics, baselines = document.get("metrics", {}), document.get("baselines", {})
    test = None
    if "test" in metrics:
        holdout = recorded_holdout(document)
        test = {
            "holdout": holdout_document(holdout),
            "metrics": metrics["test"],
            "baselines": baselines.get("test"),
            "test_looks": looks_document(looks_beside(pool.source, holdout)),
        }
    return {
        VERDICT: recorded_verdict(document, pool.source),
        "test": test,
        "turnover": recorded_turnover(document, pool.source),
    }


def _last_price_ms(pool: TunedPool, newest_ms: int, at: datetime | None) -> int:
    """Time of the last chunk price in the state: one chunk before the first update."""
    first_ms = start_ms(pool.fingerprint)
    if at is None:
        return first_ms + (newest_ms - first_ms) // pool.chunk_ms * pool.chunk_ms
    last_ms = round(at.timestamp() * 1000) - pool.chunk_ms
    if last_ms < first_ms:
        raise UsageError(
            f"--at: {utc(last_ms + pool.chunk_ms)} is before the simulation's first update, "
            f"{utc(first_ms + pool.chunk_ms)}; give that or a later time"
        )
    if last_ms > newest_ms:
        raise DataError(
            f"--at: an update at {utc(last_ms + pool.chunk_ms)} needs prices up to {utc(last_ms)}, but those in "
            f"{pool.root} end {utc(newest_ms)}; give an earlier time or newer prices with --data"
        )
    return last_ms


def _document(
    pool: TunedPool, deployment: Deployment, checks: Sequence[RuleCheck], chunks: int, found: Document
) -> Document:
    fingerprint = pool.fingerprint
    return {
        "kind": KIND,
        "contract": deployment.to_section(),
        "tokens": list(deployment.tokens),
        "first_update": utc_text(deployment.first_update * 1000),
        "state": {
            "last_price": utc_text(deployment.first_update * 1000 - pool.chunk_ms),
            "chunk_prices": chunks,
        },
        "readable": _readable(pool, deployment),
        "rules": [{"rule": check.rule, "found": check.found, "reason": check.reason} for check in checks],
        **found,
        "source": {
            "params_file": str(pool.source),
            "params": internal_form(pool.params, fingerprint.tokens),
            "fingerprint": recordable(fingerprint.to_dict()),
            "digest": fingerprint.digest,
            "data": {"root": str(pool.root.resolve()), "burn_in_days": pool.burn_in_days},
        },
        "versions": versions(),
        "created": now_text(),
    }


def _readable(pool: TunedPool, deployment: Deployment) -> Document:
    """The same in units that people read, keyed by token."""
    forms = readable_form(pool.params, pool.fingerprint)
    tokens = deployment.tokens
    contract = {
        "address": deployment.addresses or ("",) * len(tokens),
        "lambda": _each(deployment.lamb, len(tokens)),
        "kappa": _each(deployment.kappa, len(tokens)),
    }
    return {
        **{name: dict(zip(tokens, values, strict=True)) for name, values in contract.items()},
        **{name: {token: forms[name][token] for token in tokens} for name in ("k_per_day", "memory_days")},
        "initial_weights": {
            token: to_float(weight) for token, weight in zip(tokens, deployment.initial_weights, strict=True)
        },
    }


def _each(row: Sequence[int], n: int) -> list[float]:
    values = [to_float(value) for value in row]
    return values * n if len(values) == 1 else values
