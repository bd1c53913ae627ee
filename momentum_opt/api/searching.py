"""An opened run in; searched by this process, or by several, until the study has its trials. Imports JAX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from momentum_opt import device
from momentum_opt.api.callbacks import ignore, never
from momentum_opt.api.opening import Run
from momentum_opt.api.warm_starting import space_of
from momentum_opt.errors import StudyError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.market.external import External
from momentum_opt.results.parameters import readable_columns
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.results.tables import screen_table, write_table
from momentum_opt.simulation.minute_gpu import Choice
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.ledger import Outcome, Progress
from momentum_opt.study.loop import Study
from momentum_opt.study.screening import Screened
from momentum_opt.study.space import SearchSpace


@dataclass(frozen=True)
class Watch:
    """How a caller follows and stops a search.

    Attributes:
        on_start: called once when prices and search space are known.
        on_batch: called after every batch.
        on_message: called with a line about how this process searches, or that a worker process wrote.
        on_phase: called with what begins: `compile`, which does not ask whether to stop, and `search`.
        should_stop: asked between two batches; True ends the search with its results written.
        should_drop: asked while a batch is scored; True ends the search without that batch.
    """

    on_start: Callable[[RunFolder, Market, SearchSpace], None] = ignore
    on_batch: Callable[[Progress], None] = ignore
    on_message: Callable[[str], None] = ignore
    on_phase: Callable[[str], None] = ignore
    should_stop: Callable[[], bool] = never
    should_drop: Callable[[], bool] = never


def readable_of(
    space: SearchSpace, fingerprint: Fingerprint
) -> Callable[[Sequence[Mapping[str, float]]], list[dict[str, float]]]:
    """What turns numbers of trials into k per day, memory and the like, by token: `k_per_day_BTC`."""
    names = tuple(space.ranges)

    def readable(trials: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
        rows = space.lifted(np.array([[one[name] for name in names] for one in trials]))
        columns = readable_columns(space.columns(rows), fingerprint)
        return [
            {
                f"{form}_{token}": float(values[place, row])
                for form, values in columns.items()
                for place, token in enumerate(fingerprint.tokens)
            }
            for row in range(len(trials))
        ]

    return readable


def search_here(run: Run, watch: Watch) -> Outcome:
    """Go on with the study in this process.

    Raises:
        ConfigError: the configuration asks for what cannot be done.
        StudyError: a batch cannot be saved.
    """
    device.configure()
    fingerprint = run.fingerprint
    space = space_of(run)
    run.study.readable = readable_of(space, fingerprint)
    watch.on_start(run.folder, run.market, space)
    watch.on_phase("compile")
    evaluator = evaluator_of(run)
    watch.on_phase("search")
    watch.on_message(evaluator.plan)
    proposals = proposals_of(run, evaluator)
    if proposals is not evaluator:
        watch.on_message("proposals are scored without costs, trials with them (search.proposals)")
    said: list[Choice] = []

    def told(progress: Progress) -> None:
        watch.on_batch(progress)
        choice = evaluator.choice  # known once a batch has been scored
        if choice is not None and choice not in said:
            said.append(choice)
            watch.on_message(f"minute loop: {choice.reason}")

    return Study(fingerprint, space, evaluator, run.study, proposals).run(
        fingerprint.search.n_trials,
        on_batch=told,
        on_screened=lambda found: _write_screened(run, space, found),
        should_stop=watch.should_stop,
        should_drop=watch.should_drop,
    )


def evaluator_of(run: Run) -> Evaluator:
    """What scores the batches of a run; it gathers the sums that evidence needs, where that is wanted."""
    fingerprint = run.fingerprint
    return Evaluator(
        fingerprint,
        run.market,
        batch_size=fingerprint.search.batch_size,
        precision=fingerprint.device.precision,
        constant_weight=constant_weight_log_growth(fingerprint, run.market) if fingerprint.evidence.enabled else None,
    )


def proposals_of(run: Run, evaluator: Evaluator) -> Evaluator:
    """What scores proposals, where there are any: the evaluator of the trials, or the same without costs."""
    search = run.fingerprint.search
    proposes = search.screen > 0 or search.sampler == "memetic"
    if not proposes or not run.fingerprint.proposes_without_costs:
        return evaluator
    free = replace(run, fingerprint=run.fingerprint.without_costs(), market=replace(run.market, external=External()))
    return evaluator_of(free)


def _write_screened(run: Run, space: SearchSpace, found: Screened) -> None:
    path = run.folder.screen
    try:
        write_table(path, screen_table(found, space, run.fingerprint))
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be written ({error.strerror}); make room, and run the command again"
        ) from error
