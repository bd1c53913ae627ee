"""Pool the candidates of several runs (SPEC §13): their studies in, the probability of backtest overfitting out."""

from collections.abc import Sequence

from momentum_opt.evidence.assess import competitors_of
from momentum_opt.evidence.findings import Findings
from momentum_opt.evidence.together import Overfittings, pooled, share_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.run_folder import RunFolder, recorded_study
from momentum_opt.results.tables import read_screened
from momentum_opt.study.block_sums import Sums
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import JournalStore, open_store

_Run = tuple[Fingerprint, RunFolder, Findings]


def pooled_overfittings(runs: Sequence[_Run]) -> Overfittings | None:
    """PBO over the candidates of all runs; None where their blocks are of other days, or sums are missing.

    Args:
        runs: fingerprint, folder and evidence of each.
    """
    days = {(fingerprint.window.start, fingerprint.periods.train) for fingerprint, _, _ in runs}
    if len(days) > 1 or len({fingerprint.evidence.blocks for fingerprint, _, _ in runs}) > 1:
        return None
    sums: list[Sums] = []
    for fingerprint, folder, _ in runs:
        found = _sums_of(fingerprint, folder)
        if found is None:
            return None
        sums.append(share_of(found, len(runs)))
    return pooled(sums, runs[0][2].excess.n_observations)


def _sums_of(fingerprint: Fingerprint, folder: RunFolder) -> Sums | None:
    """Sums of the distinct candidates of a run; None where some are missing."""
    storage = fingerprint.search.storage
    store = JournalStore(folder.journal) if storage == "journal" else open_store(storage, folder.path)
    study = store.find_study(recorded_study(folder))
    if study is None:
        return None
    try:
        space = search_space(fingerprint)
        screened = read_screened(folder.screen, space, fingerprint) if fingerprint.search.screen else None
        same_costs = not fingerprint.proposes_without_costs
        found, _, missing = competitors_of(
            list(study.records()), space, screened, fingerprint.evidence.blocks, same_costs=same_costs
        )
    finally:
        study.close()
    return None if missing else found
