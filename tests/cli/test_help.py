"""Help texts, completion and error texts: every command has an example that parses, and neither imports JAX."""

import subprocess
import sys
from pathlib import Path

import pytest

from docs.hooks.commands import command_words, help_text
from momentum_opt.cli.completing import complete_configs, complete_runs, complete_settings
from momentum_opt.cli.examples import EXAMPLES
from momentum_opt.vocabulary.metrics import METRICS
from tests.command_line import parses
from tests.sample_runs import ROOT, environment


@pytest.mark.parametrize("words", command_words(), ids=" ".join)
def test_every_command_shows_its_examples(words: tuple[str, ...]):
    shown = " ".join(help_text(words).split())
    lines = EXAMPLES[" ".join(words)]
    assert "Example" in shown
    assert all(" ".join(line.split()) in shown for line in lines)


def test_no_example_is_left_over():
    assert set(EXAMPLES) == {" ".join(words) for words in command_words()}


@pytest.mark.parametrize(
    "line", sorted({line for lines in EXAMPLES.values() for line in lines if "COMMAND" not in line})
)
def test_every_example_parses(line: str):
    parses(line)


def test_no_help_imports_jax():
    script = f"""
import sys
from momentum_opt.cli.app import main
for words in {command_words()!r}:
    try: main([*words, "--help"])
    except SystemExit as done: assert not done.code, words
assert not [name for name in ("jax", "optuna", "pandas", "numpy") if name in sys.modules]
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr


def test_keys_and_words_are_completed():
    assert complete_settings("objective.mu") == ["objective.multi_objective="]
    assert complete_settings("search.sampler=n") == ["search.sampler=nsga2"]
    assert len(complete_settings("objective.metric=")) == len(METRICS)
    assert complete_settings("search.seed=") == []


def test_files_and_folders_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine-12345678").mkdir(parents=True)
    (tmp_path / "runs" / "mine-12345678" / "fingerprint.json").touch()
    for name in ("one.yaml", "two.txt", ".hidden.yaml"):
        (tmp_path / name).touch()
    assert list(complete_configs("")) == ["one.yaml", "runs/"]
    assert list(complete_configs("o")) == ["one.yaml"]
    assert list(complete_runs("")) == ["runs/mine-12345678", "runs/"]
    assert list(complete_runs("runs/m")) == ["runs/mine-12345678/"]
    assert list(complete_runs("nowhere/x")) == []


def test_the_shell_is_answered_without_jax():
    asked = {
        "_MOMENTUM_OPT_COMPLETE": "complete_bash",
        "COMP_WORDS": "momentum-opt tune --set objective.agg",
        "COMP_CWORD": "3",
    }
    script = (
        "import sys\nfrom momentum_opt.cli.app import main\ntry: main([])\nfinally: assert 'jax' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**environment(), **asked},
        check=False,
    )
    assert done.stdout.split() == ["objective.aggregate="], done.stderr
