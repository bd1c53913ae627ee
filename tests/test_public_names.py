import importlib
import subprocess
import sys

import pytest

import momentum_opt
from tests.sample_runs import ROOT, environment


def test_the_names_are_sorted():
    names = momentum_opt.__all__
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), name))  # as ruff sorts them
    assert set(names) <= set(dir(momentum_opt))


@pytest.mark.parametrize("name", momentum_opt.__all__)
def test_a_name_is_the_one_of_its_home(name: str):
    home = importlib.import_module(momentum_opt._HOMES[name])
    assert getattr(momentum_opt, name) is getattr(home, name)


def test_every_home_is_public():
    assert set(momentum_opt._HOMES) == set(momentum_opt.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'momentum_opt' has no attribute 'nonsense'"):
        _ = momentum_opt.nonsense


def test_the_import_is_cheap():
    heavy = ("jax", "optuna", "pandas", "pyarrow", "scipy", "numpy", "pydantic", "typer")
    script = f"import sys, momentum_opt; sys.exit(str([name for name in {heavy!r} if name in sys.modules] or ''))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), check=False
    )
    assert done.stderr.strip() == ""
