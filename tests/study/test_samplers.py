from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler
from scipy.stats import qmc

from momentum_opt.study.samplers import SAMPLER_FACTORIES, SobolSampler, ask_batch, batch_sampler, work_out_parents
from momentum_opt.vocabulary.names import SAMPLERS

OF_OPTUNA = [name for name in SAMPLERS if name != "memetic"]
"""Those that are asked of Optuna; memetic proposes whole batches, see test_improvement.py and test_memetic.py."""

SPACE = {"x": FloatDistribution(-2.0, 2.0), "y": FloatDistribution(0.01, 100.0, log=True)}


def value(x: float, y: float) -> float:
    return -((x - 0.5) ** 2) - np.log(y) ** 2


def search(name: str, batches: Sequence[int], seed: int = 0, popsize: int = 8) -> list[dict[str, float]]:
    """Every batch in a study of its own, as after an interruption; the numbers of all trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    finished: list[optuna.trial.FrozenTrial] = []
    for size in batches:
        study = optuna.create_study(direction="maximize")
        study.add_trials(finished)
        study.sampler = batch_sampler(name, seed, len(finished), popsize, SPACE)
        for trial in ask_batch(study, SPACE, size):
            study.tell(trial, value(**trial.params))
        finished = study.trials
    return [trial.params for trial in finished]


def test_every_name_of_the_vocabulary_has_a_sampler():
    assert {*SAMPLER_FACTORIES, "cmaes", "qmc", "memetic"} == set(SAMPLERS)
    assert all(isinstance(batch_sampler(name, 0, 0, 8, SPACE), BaseSampler) for name in OF_OPTUNA)


@pytest.mark.parametrize("name", OF_OPTUNA)
def test_the_numbers_depend_on_seed_and_finished_trials_alone(name: str):
    first = search(name, [8, 8, 8])
    assert first == search(name, [8, 8, 8])
    assert first != search(name, [8, 8, 8], seed=1)
    assert all(-2 <= numbers["x"] <= 2 and 0.01 <= numbers["y"] <= 100 for numbers in first)
    assert len({tuple(numbers.values()) for numbers in first[:8]}) == 8


@pytest.mark.parametrize("name", [name for name in OF_OPTUNA if name != "qmc"])
def test_batches_of_one_seed_differ(name: str):
    numbers = search(name, [8, 8])
    assert numbers[:8] != numbers[8:]


@pytest.mark.parametrize("batches", [[64], [8] * 8, [1, 2, 3, 5, 53], [7] * 9 + [1]])
def test_qmc_is_one_sobol_sequence_however_it_is_cut(batches: list[int]):
    units = qmc.Sobol(len(SPACE), rng=np.random.default_rng(3)).random_base2(6)
    expected = np.column_stack([-2 + 4 * units[:, 0], 0.01 * 1e4 ** units[:, 1]])
    numbers = search("qmc", batches, seed=3)
    np.testing.assert_allclose([[one["x"], one["y"]] for one in numbers], expected, rtol=1e-12, atol=1e-12)


def test_sobol_never_samples_on_its_own():
    study = optuna.create_study(sampler=SobolSampler(0, 0, SPACE))
    trial = study.ask(fixed_distributions=SPACE)
    with pytest.raises(NotImplementedError, match="`z` is not one of the fixed distributions"):
        trial.suggest_float("z", 0, 1)


def test_samplers_find_the_better_half():
    """A guided sampler ends nearer to the optimum than it began; that the others are random is no fault of theirs."""
    for name in ("tpe", "cmaes", "nsga2"):
        numbers = search(name, [8] * 8)
        first, last = (np.median([value(**one) for one in part]) for part in (numbers[:16], numbers[-16:]))
        assert last > first, name


def test_nsga2_takes_up_a_study_of_many_generations():
    """Optuna's own way back through them is a recursion, which ends at Python's limit."""
    study = optuna.create_study(direction="maximize")
    key = f"{optuna.samplers.NSGAIISampler.__name__}:generation"
    for number in range(4 * 600):
        numbers = {"x": number / 2400, "y": 1.0}
        generation = {key: number // 4}
        study.add_trial(
            optuna.create_trial(params=numbers, distributions=SPACE, value=value(**numbers), system_attrs=generation)
        )
    study.sampler = batch_sampler("nsga2", 0, 2400, 4, SPACE)
    with pytest.raises(RecursionError):
        ask_batch(study, SPACE, 1)
    assert work_out_parents(study, 0) == 599
    assert len(ask_batch(study, SPACE, 4)) == 4
    assert work_out_parents(study, 599) == 599
