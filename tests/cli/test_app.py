import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from momentum_opt.cli import app as cli_app
from momentum_opt.errors import ConfigError, MissingFileError, ReplayMismatchError
from tests.sample_runs import command, environment

ROOT = Path(__file__).resolve().parents[2]
FIVE = """\
tokens: [BTC, BTC]
window: {start: 2022-06-01, end: 2022-05-01}
pool: {chunk_perod: 1440}
costs: {fees: 1.5}
objective: {metric: daily_sharp}
"""


def fastest(*arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """The best of three runs, in seconds of processor time, because the machine may be busy with other things."""
    times: list[float] = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command(*arguments), capture_output=True, text=True, env=environment(timed=True), check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return done, min(times)


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli_app.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help_is_quick():
    done, seconds = fastest("--help")
    assert done.returncode == 0
    assert {"tune", "backtest", "report", "walk-forward", "config", "data"} <= set(done.stdout.split())
    assert seconds < 0.5


def test_five_mistakes_are_five_lines_quickly(tmp_path: Path):
    path = tmp_path / "five.yaml"
    path.write_text(FIVE)
    done, seconds = fastest("config", "check", str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith(f"error: {path}:{place}: ") for place, line in enumerate(lines, start=1))
    assert seconds < 1.0


@pytest.mark.parametrize(
    "arguments", [["--help"], ["config", "show", "configs/quickstart.yaml"], ["config", "check", "nope"]]
)
def test_jax_stays_out(arguments: list[str]):
    heavy = ("jax", "optuna", "pandas", "pyarrow", "scipy", "click")
    script = (
        "import sys\nfrom momentum_opt.cli.app import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"assert not [name for name in {heavy!r} if name in sys.modules]"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capsys: pytest.CaptureFixture[str]):
    assert exit_code("--version") == 0
    assert capsys.readouterr().out.startswith("momentum-opt")


def test_version_of_a_bare_checkout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == "momentum-opt, version unknown: the package is not installed\n"


def test_interrupted_outside_of_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_app, "app", interrupted)
    assert exit_code("tune") == 130
    assert capsys.readouterr().err == "error: interrupted; run the command again\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["config", "chek"], ["config", "show"]])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err != ""


@pytest.mark.parametrize(
    ("raised", "code", "lines"),
    [
        (ConfigError(["a: b; c", "d: e; f"]), 2, ["error: a: b; c", "error: d: e; f"]),
        (MissingFileError("x: no such\nfile"), 2, ["error: x: no such file"]),
        (ReplayMismatchError("differs"), 1, ["error: differs"]),
        (KeyboardInterrupt(), 130, []),
        (ZeroDivisionError("by zero"), 1, ["error: unexpected ZeroDivisionError: by zero; --debug shows where"]),
        (OSError("disk"), 1, ["error: unexpected OSError: disk; --debug shows where"]),
    ],
)
def test_errors_become_lines_and_codes(
    raised: BaseException,
    code: int,
    lines: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def broken(*_: object) -> None:
        raise raised

    monkeypatch.setattr("momentum_opt.fingerprint.load_fingerprint", broken)
    assert exit_code("config", "check", "x.yaml") == code
    assert [line for line in capsys.readouterr().err.splitlines() if line] == lines


@pytest.mark.parametrize("arguments", [["--debug", "config", "check", "nope"], ["config", "check", "nope", "--debug"]])
def test_debug_shows_the_traceback(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert exit_code(*arguments) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("Traceback")
    assert captured.endswith("error: nope: no such file; give the path of a configuration file\n")


def test_debug_behind_two_dashes_is_an_argument(capsys: pytest.CaptureFixture[str]):
    assert exit_code("config", "check", "--", "--debug") == 2
    assert capsys.readouterr().err == "error: --debug: no such file; give the path of a configuration file\n"
