from pathlib import Path

import pytest

from benchmarks.mutation.killers import BESIDES, NEAREST, PACKAGES, in_pytest, killers_of

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    file.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for file in (ROOT / "momentum_opt" / package).glob("*.py")
    if file.stem != "__init__"
]


def test_every_name_in_the_map_is_a_file_and_a_test_in_it():
    modules = {path.removeprefix("momentum_opt/").removesuffix(".py") for path in MODULES}
    assert set(NEAREST) <= modules
    assert set(BESIDES) <= modules | set(PACKAGES)
    named = {name for names in (*NEAREST.values(), *BESIDES.values()) for name in names}
    for name in named:
        file, _, test = in_pytest(name).partition("::")
        assert f"def {test.partition('[')[0]}" in (ROOT / file).read_text()


@pytest.mark.parametrize("path", MODULES)
def test_every_module_has_a_nearest_test_and_then_its_folder(path: str):
    package, module = path.removesuffix(".py").split("/")[1:]
    own = {in_pytest(name) for name in (f"{package}/test_{module}", *NEAREST.get(f"{package}/{module}", ()))}
    nearest, rest = killers_of(path, ROOT, {})
    assert nearest
    assert set(nearest) <= own
    folder = {file.relative_to(ROOT).as_posix() for file in (ROOT / "tests" / package).glob("test_*.py")}
    assert folder <= {*nearest, *rest}
    assert len({*nearest, *rest}) == len(nearest) + len(rest)


def test_the_quick_ones_come_first():
    seconds = {"tests/pool/test_rule.py": 1.0, "tests/pool/test_memory.py": 2.0, "tests/pool/test_momentum.py": 3.0}
    nearest, rest = killers_of("momentum_opt/pool/guard_rails.py", ROOT, seconds)
    assert nearest == ["tests/pool/test_rule.py", "tests/pool/test_momentum.py"]
    assert rest.index("tests/pool/test_estimator.py") < rest.index("tests/pool/test_memory.py")


def test_single_tests_stand_in_for_their_file_which_comes_later():
    nearest, rest = killers_of("momentum_opt/simulation/costs.py", ROOT, {})
    file = "tests/simulation/test_costs.py"
    assert any(test.startswith(f"{file}::") for test in nearest)
    assert file not in nearest
    assert file in rest
