"""A batch on several devices, made of the cores of a CPU, gives what one device gives."""

import json
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = """
import json, sys
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", {devices})
from momentum_opt.study.evaluation import Evaluator
from tests.reference.plan import Pool
from tests.simulation.cases import Case, random_params

found = []
for pool, metric, count in {jobs}:
    pool = Pool(**pool)
    case = Case.random(pool, 3, 12)
    scored = Evaluator(case.fingerprint(return_val=metric, val_fraction=0.3), case.market, batch_size=count)
    scores = scored.score([random_params(3, pool.floor(3), seed) for seed in range(count)])
    found.append({{
        "devices": len(getattr(scored, "_devices", [])),
        "width": scored.width,
        "objectives": scores.objectives[:, 0].tolist(),
        "train": {{name: values.tolist() for name, values in scores.train.items()}},
        "validation": {{name: values.tolist() for name, values in scores.validation.items()}},
    }})
json.dump(found, sys.stdout)
"""

FREE = {"chunk_period": 1440, "max_memory_days": 5.0}
BENT = {**FREE, "weight_interpolation_method": "approx_optimal"}
"""Left to XLA, also where minutes are read: the kernels that walk them have straight lines alone."""
JOBS = [
    (FREE, "daily_log_sharpe", 261),
    ({**FREE, "arb_frequency": 7}, "returns", 256),
    (BENT, "max_drawdown", 140),
    ({**BENT, "fees": 0.003}, "max_drawdown", 194),
]
"""Each engine of XLA, and the rebuild of minutes; counts that leave the last device short of candidates too."""


def scored_on(devices: int):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(devices=devices, jobs=JOBS)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_four_devices_score_as_one_does():
    one, four = scored_on(1), scored_on(4)
    assert [job["devices"] for job in one] == [1] * len(JOBS)
    assert [job["devices"] for job in four] == [4, 4, 2, 3]
    assert len(set(one[0]["objectives"])) == JOBS[0][2]  # no candidate stands in for another one
    for (_, metric, count), alone, shared in zip(JOBS, one, four, strict=True):
        assert len(shared["objectives"]) == count
        for part in ("train", "validation"):
            for name, values in alone[part].items():
                # A return is a ratio of values less one, so what rounding leaves is relative to one.
                np.testing.assert_allclose(
                    shared[part][name], values, rtol=1e-12, atol=1e-12, err_msg=f"{metric}: {part} {name}"
                )
        np.testing.assert_allclose(shared["objectives"], alone["objectives"], rtol=1e-12, err_msg=metric)
