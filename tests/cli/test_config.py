import json
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.cli.app import main
from momentum_opt.fingerprint import load_fingerprint

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
SMALL = """\
tokens: [BTC, ETH]
window: {start: 2022-06-01, end: 2023-06-01}
data: {root: prices}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shown_configuration_is_the_same_run(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("config", "show", path) == 0
    shown = tmp_path / "shown.yaml"
    shown.write_text(capsys.readouterr().out)
    original, again = load_fingerprint(path), load_fingerprint(shown)
    assert again == original
    assert original.digest in shown.read_text()


def test_the_named_configurations_are_there():
    assert [path.stem for path in CONFIGS] == ["btc_eth_sol_usdc", "btc_eth_usdc", "quickstart", "smoke"]


def test_show_says_which_engine_runs(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("config", "show", config) == 0
    assert "# engine: closed form per chunk; linear" in capsys.readouterr().out
    assert run("config", "show", config, "--set", "costs.fees=0.003") == 0
    output = capsys.readouterr().out
    assert "# engine: minute loop with costs; trades cost something" in output
    assert "  fees: 0.003\n" in output
    assert "# train: 292 days, 2022-06-01 to 2023-03-20 (exclusive)\n" in output
    assert "# test: none\n" in output


def test_show_as_json(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("config", "show", config, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["digest"] == load_fingerprint(config).digest
    assert document["engine"]["name"] == "closed_form"
    assert document["config"]["pool"]["chunk_period"] == 1440


RANGES = "search.parameters={k_per_day: [1, 512], memory_days: {ETH: [2, 28]}}"
SAID = [
    "search range: k per day 1 to 512 (log_k 0 to 9)",
    "search range: BTC: memory 0.9696 to 30 days (λ 0.01799 to 0.8837, logit_lamb -4 to 2.028)",
    "search range: ETH: memory 2 to 28 days (λ 0.1154 to 0.8758, logit_lamb -2.037 to 1.953)",
]
"""By bisection: λ of 30, 28 and 2 days are 0.88375, 0.87582 and 0.11538; 1/(1+e^4) has 0.9696 days."""


def test_ranges_are_shown_in_both_units(config: Path, capsys: pytest.CaptureFixture[str]):
    settings = ("--set", RANGES, "--set", "pool.max_memory_days=30")
    for command, mark in (("show", "# "), ("check", "")):
        assert run("config", command, config, *settings) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.removeprefix(mark) for line in lines if "search range" in line] == SAID
    assert run("config", "show", config, *settings, "--json") == 0
    k, *memories = json.loads(capsys.readouterr().out)["ranges"]
    assert k == {
        "parameter": "log_k", "tokens": ["BTC", "ETH"], "low": 0.0, "high": 9.0, "k_per_day": [1.0, 512.0],
        "log_scale": False,
    }  # fmt: skip
    assert [one["tokens"] for one in memories] == [["BTC"], ["ETH"]]
    for one in memories:
        lamb = np.array(one["lamb"])
        np.testing.assert_allclose(np.log(lamb / (1 - lamb)), [one["low"], one["high"]], rtol=1e-12)
        np.testing.assert_allclose(one["memory_days"], 2 * np.cbrt(6 * lamb / (1 - lamb) ** 3), rtol=1e-12)


def test_a_shared_number_and_a_memory_beyond_the_cap_are_shown_as_they_act(
    config: Path, capsys: pytest.CaptureFixture[str]
):
    off = ("--set", "search.clip_to_effective=false", "--set", "search.force_scalar=true")
    assert run("config", "check", config, *off) == 0
    shown = capsys.readouterr().out
    assert "memory 0.9696 to 365 days (λ 0.01799 to 0.9901, logit_lamb -4 to 8), one number for all tokens\n" in shown
    assert run("config", "show", config, "--set", "search.parameters.log_k={around: {half_width: 0.5}}") == 0
    assert "log_k.around: searched within 0.5 of the parameters of --from" in capsys.readouterr().out


def test_show_hides_a_password(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("config", "show", config, "--set", "search.storage=postgresql://me:secret@host/db") == 0
    output = capsys.readouterr().out
    assert "secret" not in output
    assert "postgresql://me:***@host/db" in output


def test_check(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("config", "check", config) == 0
    assert "no mistakes; BTC/ETH, 365 days, digest" in capsys.readouterr().out
    assert run("config", "check", config, "--set", "costs.fees=2", "--set", "search.n_trials=0") == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "old.json"
    values = {"tokens": ["B", "A"], "startDateString": "2022-06-01 00:00:00", "endDateString": "2023-06-01 00:00:00"}
    file.write_text(json.dumps({**values, "base_lr": 0.1}))
    assert run("config", "import", file) == 0
    captured = capsys.readouterr()
    assert captured.err == "ignored, not about a momentum pool: base_lr\n"
    out = tmp_path / "new.yaml"
    assert run("config", "import", file, "--out", out) == 0
    assert capsys.readouterr().out == ""
    assert out.read_text() == captured.out
    assert load_fingerprint(out).tokens == ("A", "B")
    assert run("config", "import", file, "--out", out) == 2
    assert "new.yaml: exists already; give another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "old.json: no such file"),
        ("{", "old.json:1: not valid JSON"),
        ("[1]", "old.json: not a JSON object"),
        ("{}", "old.json: tokens: missing"),
        (
            '{"tokens": ["A", "B"], "startDateString": "2022-01-01", "endDateString": "2022-06-01", "fees": NaN}',
            "finite",
        ),
    ],
)
def test_import_of_bad_files(tmp_path: Path, content: str | None, said: str, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "old.json"
    if content is not None:
        file.write_text(content)
    assert run("config", "import", file) == 2
    assert said in capsys.readouterr().err
