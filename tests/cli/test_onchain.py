"""export, rehearse and weights as commands: from a best.json on the bundled sample to files, tables and exit codes."""

import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.api.rehearsing import rehearse, write_rehearsal
from momentum_opt.cli.app import main
from momentum_opt.errors import MomentumOptError, UsageError
from momentum_opt.fingerprint import recordable
from momentum_opt.market import load_market
from momentum_opt.onchain.deployment import parse_section
from momentum_opt.results.files import write_json
from momentum_opt.results.run_folder import prices_record
from tests.reference import estimator
from tests.sample_runs import SAMPLE, TOKENS, copy_of, run, smoke, tuned

AGE = r"note: newest price 2024-02-04 23:59 UTC, [\d,]+ days old; [\d,]+ updates due since then: give .* --data\n"
ADDRESSES = {
    "SYNA": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "SYNB": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "SYNUSD": "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
}
BY_ADDRESS = ("SYNB", "SYNUSD", "SYNA")
PARAMS = {
    "k": {"SYNA": 5.0, "SYNB": 300.0, "SYNUSD": 40.0},
    "logit_lamb": {"SYNA": 1.0, "SYNB": 7.0, "SYNUSD": 2.0},
    "initial_weights_logits": dict.fromkeys(TOKENS, 1.0),
}
BEYOND_THE_CAP = "note: memory of SYNB (3987.85 days) is above pool.max_memory_days, so 30 days are simulated\n"
CONFIG = f"""
data: {{root: {SAMPLE}}}
tokens: [SYNA, SYNB, SYNUSD]
window: {{start: 2023-03-01, end: 2023-04-12, test_end: 2023-04-26}}
"""


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A best.json of the smoke configuration, as far as these commands read it."""
    fingerprint = smoke()
    window = fingerprint.window
    assert window.test_end is not None
    market = load_market(SAMPLE, TOKENS, start=window.start, end=window.test_end, burn_in_days=30)
    path = tmp_path_factory.mktemp("run") / "best.json"
    write_json(
        path,
        {
            "params": PARAMS,
            "objective": {"metric": "daily_log_sharpe", "aggregate": "mean", "value": 0.0},
            "fingerprint": recordable(fingerprint.to_dict()),
            "digest": fingerprint.digest,
            "data": prices_record(market),
        },
    )
    return path


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("addresses") / "tokens.yaml"
    path.write_text("".join(f"{token}: {address}\n" for token, address in ADDRESSES.items()))
    return path


@pytest.fixture(scope="module")
def deployment(best: Path, addresses: Path) -> Path:
    """Exported for a first update on 2 March 2023, one day after the window's start."""
    out = best.with_name("deployment.json")
    assert code("export", "--params", best, "--addresses", addresses, "--at", "2023-03-02", "--out", out) == 0
    return out


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def closes(token: str, until: str) -> np.ndarray:
    """Midnight closes from thirty days before the window, read from the file without the package."""
    table = pd.read_parquet(SAMPLE / f"{token}_USD.parquet").reset_index().set_index("unix")["close"]
    days = pd.date_range("2023-01-30", until, tz="UTC")
    return table.loc[
        (days.astype("int64") // 10**6 if days.unit == "ns" else days.as_unit("ms").astype("int64"))
    ].to_numpy()


def test_export(deployment: Path):
    document = strict(deployment.read_text())
    contract = document["contract"]
    assert document["schema_version"] == 1
    assert document["tokens"] == list(BY_ADDRESS)
    assert contract["tokens"] == [ADDRESSES[token] for token in BY_ADDRESS]
    assert document["first_update"] == "2023-03-02T00:00:00Z"
    lamb = {token: 1 / (1 + np.exp(-logit)) for token, logit in PARAMS["logit_lamb"].items()}
    lamb["SYNB"] = estimator.decay(30.0, 1440)  # the tuned one lies above the cap
    assert [int(value) / 1e18 for value in contract["lambda"]] == pytest.approx([lamb[t] for t in BY_ADDRESS])
    for place, token in enumerate(BY_ADDRESS):
        prices = closes(token, "2023-03-01")
        states = estimator.estimate(prices[:, None], np.array([lamb[token]]))
        assert int(contract["initialMovingAverages"][place]) / 1e18 == pytest.approx(states.ewma[-1, 0], rel=1e-12)
        found = int(contract["initialIntermediateValues"][place]) / 1e18
        assert found == pytest.approx(states.running_a[-1, 0], rel=1e-9, abs=1e-15)
        kappa = PARAMS["k"][token] * float(np.clip(estimator.memory_days(lamb[token], 1440), 0, 30))
        assert int(contract["ruleParameters"][0][place]) / 1e18 == pytest.approx(kappa, rel=1e-9)
        assert document["readable"]["kappa"][token] == pytest.approx(kappa, rel=1e-9)
    assert contract["epsilonMax"] == "432000000000000000"
    assert contract["updateInterval"] == 86400
    assert sum(map(int, contract["initialWeights"])) == 10**18
    assert {"κ > 0", "m = P", "0 < λ < 1"} <= {rule["rule"] for rule in document["rules"]}
    assert parse_section(contract, BY_ADDRESS, 0, "it").to_section() == contract


def test_a_pool_found_around_known_parameters(best: Path, addresses: Path, tmp_path: Path):
    """How it was searched does not matter to export and rehearsal, which have no parameters to search around."""
    found, out = tmp_path / "best.json", tmp_path / "deployment.json"
    around = smoke("search.parameters={log_k: {around: {half_width: 0.5}}}")
    document = strict(best.read_text())
    write_json(found, {**document, "fingerprint": recordable(around.to_dict()), "digest": around.digest})
    assert code("export", "--params", found, "--addresses", addresses, "--at", "2023-03-02", "--out", out) == 0
    assert code("rehearse", "--deployment", out) == 0


def test_export_keeps_what_is_there(best: Path, addresses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "deployment.json"
    arguments = ("export", "--params", best, "--addresses", addresses, "--out", out)
    assert code(*arguments) == 0
    captured = capsys.readouterr()
    assert re.fullmatch(rf"{re.escape(BEYOND_THE_CAP)}{AGE}", captured.err)
    assert re.search(r"^first update 2024-02-05T00:00:00Z, then every 86400 s$", captured.out, re.M)
    assert re.search(r"^ SYNB +0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed$", captured.out, re.M)
    assert re.search(r"^  κ > 0: κ = ", captured.out, re.M)
    assert all(len(line) <= 120 for line in captured.out.splitlines())
    before = out.read_text()
    assert code(*arguments) == 2
    assert re.fullmatch(r"error: \S+: exists already; .* --force\n", capsys.readouterr().err)
    assert out.read_text() == before
    assert code(*arguments, "--force", "--json") == 0
    captured = capsys.readouterr()
    assert re.fullmatch(rf"{re.escape(BEYOND_THE_CAP)}{AGE}replaced: {re.escape(str(out))}\n", captured.err)
    document = strict(captured.out)
    assert document.pop("written") == str(out)
    kept = strict(out.read_text())
    assert kept.pop("checksums")
    assert document == kept
    assert [path.name for path in tmp_path.iterdir()] == ["deployment.json"]


def test_all_reasons_why_a_pool_cannot_be_deployed(addresses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "config.yaml"
    config.write_text(
        CONFIG
        + "pool: {use_alt_lamb: true, weight_interpolation_method: approx_optimal, weight_interpolation_period: 720, "
        + "maximum_change: 0.01, minimum_weight: 0.005, max_memory_days: 30}\n"
    )
    params = tmp_path / "params.json"
    write_json(params, {"params": {"k_per_day": {**PARAMS["k"], "SYNB": 0}, "memory_days": 5, "logit_delta_lamb": 0.5}})
    out = tmp_path / "deployment.json"
    arguments = ("export", "--params", params, "--config", config, "--addresses", addresses, "--out", out)
    assert code(*arguments, "--max-trade-size-ratio", "0.5") == 2
    lines = capsys.readouterr().err.splitlines()
    named = ["use_alt_lamb", "linear", "m = P", "κ > 0", "epsilonMax ≤ 1", "guard rail < 1/n", "maxTradeSizeRatio"]
    assert len(lines) == len(named)
    for line, name in zip(lines, named, strict=True):
        assert line.startswith("error: not deployable: ")
        assert name in line
    assert not out.exists()
    assert code("rehearse", "--params", params, "--config", config) == 2
    assert len(capsys.readouterr().err.splitlines()) == len(named) - 1


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--at", "2023-03-01"), r"--at: 2023-03-01 00:00 UTC is before the simulation's first update, 2023-03-02"),
        (("--at", "2030-01-01"), r"--at: an update at 2030-01-01 00:00 UTC needs prices up to 2029-12-31 .* end 2024"),
        (("--at", "soon"), r"--at: 'soon' is no date"),
        (("--max-trade-size-ratio", "nan"), r"--max-trade-size-ratio: nan is no share"),
        (("--data", "nowhere"), r"nowhere: no such folder"),
        (("--out", "nowhere/deployment.json"), r"nowhere/deployment\.json: cannot be written"),
    ],
)
def test_export_refuses(
    best: Path,
    addresses: Path,
    tmp_path: Path,
    option: tuple[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert code("export", "--params", best, "--addresses", addresses, *option) == 2
    captured = capsys.readouterr()
    assert re.search(said, captured.err), captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_rehearse(best: Path, deployment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert code("rehearse", "--params", best, "--out", out) == 0
    captured = capsys.readouterr()
    assert captured.err == BEYOND_THE_CAP
    assert re.search(r"^verdict: holds: largest difference of a weight \S+ ≤ 0\.002$", captured.out, re.M)
    assert re.search(r"^ nine decimals +\d", captured.out, re.M)
    assert all(len(line) <= 120 for line in captured.out.splitlines())
    document = strict((out / "rehearsal.json").read_text())
    assert document["verdict"]["holds"] is True
    assert document["updates"]["done"] == 55
    assert (out / "rehearsal.png").read_bytes().startswith(b"\x89PNG")
    daily = pd.read_parquet(out / "daily.parquet")
    assert len(daily) == 57
    for token in TOKENS:
        difference = (daily[f"contract_weight_{token}"] - daily[f"simulated_weight_{token}"]).abs().max()
        assert difference <= document["gap"]["largest_weight"]
    result = rehearse(best)
    with pytest.raises(
        UsageError, match=r"rehearsal\.json, \S+daily\.parquet, \S+: exists already; give another --out"
    ):
        write_rehearsal(result, out)
    with pytest.raises(UsageError, match=r"rehearsal\.json: cannot be written \(.*\); give another --out"):
        write_rehearsal(result, out / "rehearsal.json")

    assert code("rehearse", "--deployment", deployment, "--json") == 0
    again = strict(capsys.readouterr().out)
    assert again["initial_state"] == "as exported"
    assert again["tokens"] == list(BY_ADDRESS)
    assert again["final_value"]["simulated"] == document["final_value"]["simulated"]
    assert again["final_value"]["contract"] == pytest.approx(document["final_value"]["contract"], rel=1e-6)
    assert len(again["daily"]) == 57
    assert again["daily"][0]["time"] == "2023-03-01T00:00:00Z"


def test_a_verdict_that_fails(deployment: Path, capsys: pytest.CaptureFixture[str]):
    options = ("--delay", "5m", "--miss", "0.1", "--seed", "4", "--tolerance", "1e-5", "--json")
    assert code("rehearse", "--deployment", deployment, *options) == 1
    document = strict(capsys.readouterr().out)
    assert document["verdict"]["holds"] is False
    assert document["updates"]["delay_seconds"] == 300
    assert len(document["updates"]["missed"]) + document["updates"]["done"] == 55
    assert list(document["shares"]) == ["arithmetic", "nine_decimals", "rails", "delay", "missed"]


@pytest.mark.slow
def test_a_deployment_rehearsed_elsewhere(deployment: Path, capsys: pytest.CaptureFixture[str]):
    options = ("--start", "2023-04-01", "--end", "2023-05-27", "--json")
    assert code("rehearse", "--deployment", deployment, *options) == 0
    document = strict(capsys.readouterr().out)
    assert document["initial_state"].startswith("computed from the prices before the window; the exported state is for")
    assert document["window"] == {"start": "2023-04-01T00:00:00Z", "end": "2023-05-27T00:00:00Z"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "neither --params nor --deployment; give one of --params and --deployment"),
        (("--params", "best.json", "--deployment", "deployment.json"), "give one of --params and --deployment"),
        (("--deployment", "deployment.json", "--config", "c.yaml"), "holds its own configuration"),
        (("--deployment", "best.json"), "not a deployment.json of this version"),
        (("--deployment", "none.json"), "no such file"),
        (("--params", "best.json", "--delay", "soon"), "--delay: 'soon' is no duration"),
        (("--params", "best.json", "--delay", "24h"), "--delay: 86400 s does not lie"),
        (("--params", "best.json", "--miss", "2"), "--miss: 2 is no share"),
        (("--params", "best.json", "--tolerance", "0"), "--tolerance: 0 is not above 0"),
        (("--params", "best.json", "--start", "1 March"), "--start: '1 March' is no date"),
        (("--params", "best.json", "--start", "2023-04-01", "--end", "2023-04-02"), "less than two days"),
        (("--params", "best.json", "--start", "2022-01-01", "--end", "2022-03-02"), "before the history of"),
    ],
)
def test_rehearse_refuses(
    best: Path,
    deployment: Path,
    options: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert deployment.parent == best.parent
    monkeypatch.chdir(best.parent)
    assert code("rehearse", *options) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for part in outer:
        document = document[part]
    document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("kind", "keeper state", r"not a deployment\.json of this version; give the file as export wrote it"),
        (
            "schema_version",
            99,
            r"schema_version: 99 was written by a newer momentum-opt, .*; use the",
        ),
        ("schema_version", 0, r"schema_version: 0 is no version; give the file as"),
        ("first_update", "soon", r"cannot be read \(ValueError: .*\); give the file as export wrote it"),
        ("source.data", {}, r"cannot be read \(KeyError: 'root'\); give the file as export wrote it"),
        ("source.data", None, r"cannot be read \(TypeError: .*\); give the file as export wrote it"),
        ("source.fingerprint", {"foo": 1}, r"source\.fingerprint: foo: unknown key"),
        ("tokens", ["SYNA", "SYNB", "ETH"], r"its tokens are not those of its fingerprint; give the file as"),
        ("contract", [], r"its tokens are not those of its fingerprint; give the file as export wrote it"),
        ("source.params", {"k": 1.0}, r"source: `params` is missing logit_lamb"),
        ("contract.epsilonMax", 4, r"contract\.epsilonMax: 4 is no whole number in quotes"),
    ],
)
def test_a_changed_deployment_is_refused(deployment: Path, tmp_path: Path, path: str, value: Any, said: str):
    document = json.loads(deployment.read_text())
    _set(document, path, value)
    changed = tmp_path / "deployment.json"
    changed.write_text(json.dumps(document))
    with pytest.raises(MomentumOptError, match=rf"deployment\.json: {said}"):
        rehearse(deployment_file=changed)


def weights(capsys: pytest.CaptureFixture[str], *options: str | Path) -> Any:
    capsys.readouterr()
    assert code("weights", *options, "--json") == 0
    return strict(capsys.readouterr().out)


def test_a_keeper(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Day after day with a state, then without one; the same call twice; days that were left out are caught up."""
    state = tmp_path / "state.json"
    for day in (1, 2, 3, 3, 6):
        at = f"2023-04-0{day}T09:30Z"
        carried = weights(capsys, "--params", best, "--state", state, "--at", at)
        assert carried["time"] == f"2023-04-0{day}T00:00:00Z"
        if day == 3:
            kept = state.read_bytes()
    assert kept != state.read_bytes()
    whole = weights(capsys, "--params", best, "--at", "2023-04-06")
    for part in ("start", "target", "end", "multiplier_per_second"):
        assert carried["weights"][part] == pytest.approx(whole["weights"][part], rel=1e-12, abs=1e-18)
    assert carried["estimator"]["ewma"] == pytest.approx(whole["estimator"]["ewma"], rel=1e-12)
    assert carried["next_update"] == "2023-04-07T00:00:00Z"
    once = state.read_bytes()
    assert weights(capsys, "--params", best, "--state", state, "--at", "2023-04-06T23:59Z") == carried
    assert state.read_bytes() == once
    for token in TOKENS:
        start, end = carried["weights"]["start"][token], carried["weights"]["end"][token]
        assert start + 86400 * carried["weights"]["multiplier_per_second"][token] == pytest.approx(end, abs=1e-12)


def test_the_weights_on_the_terminal(best: Path, capsys: pytest.CaptureFixture[str]):
    assert code("weights", "--params", best) == 0
    captured = capsys.readouterr()
    assert re.fullmatch(rf"{re.escape(BEYOND_THE_CAP)}{AGE}", captured.err)
    assert re.search(r"^update at 2024-02-04T00:00:00Z; interpolating until 2024-02-05T00:00:00Z$", captured.out, re.M)
    assert re.search(r"^ SYNA +0\.\d{9} +0\.\d{9} +0\.\d{9} +[+-]", captured.out, re.M)


def test_the_weights_that_the_pool_really_has(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = tmp_path / "state.json"
    given = {"SYNA": 0.5, "SYNB": 0.3, "SYNUSD": 0.2}
    text = ",".join(f"{token}={weight}" for token, weight in given.items())
    day = ("--params", best, "--state", state, "--at", "2023-04-02")
    plain = weights(capsys, *day)
    moved = weights(capsys, *day, "--current-weights", text)
    assert moved["weights"]["start"] == given
    assert moved["change"] == plain["change"]
    after = weights(capsys, "--params", best, "--state", state, "--at", "2023-04-03")
    assert after["weights"]["start"] == pytest.approx(moved["weights"]["end"], rel=1e-12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--current-weights", "SYNA=0.5"), "names SYNA, but the pool holds SYNA, SYNB, SYNUSD"),
        (("--current-weights", "SYNA=0.5,SYNB=0.5,SYNUSD=0.5"), "must be above 0 and sum to 1"),
        (("--current-weights", "SYNA=half"), "'SYNA=half' is no TOKEN=WEIGHT"),
        (("--at", "2023-02-01"), "do not reach the pool's start on 2023-03-01"),
        (("--state", "nowhere/state.json"), "nowhere/state.json: cannot be written"),
    ],
)
def test_weights_refuse(best: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    assert code("weights", "--params", best, *options) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_a_state_and_prices_that_do_not_fit(best: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    state = tmp_path / "state.json"
    weights(capsys, "--params", best, "--state", state, "--at", "2023-04-02")
    before = state.read_bytes()
    assert code("weights", "--params", best, "--state", state, "--at", "2023-04-01") == 2
    assert "holds the update at 2023-04-02 00:00 UTC, but the prices" in capsys.readouterr().err

    newer = shutil.copytree(SAMPLE, tmp_path / "newer")
    for token in TOKENS:
        path = newer / f"{token}_USD.parquet"
        table = pd.read_parquet(path).reset_index()
        first = pd.Timestamp(date(2023, 4, 4), tz="UTC").value // 10**6
        table.loc[table["unix"] >= first, ["unix", "close"]].to_parquet(path, index=False)
    assert code("weights", "--params", best, "--state", state, "--data", newer) == 2
    assert re.search(r"state\.json: goes on from 2023-04-02 00:00 UTC, and not all prices", capsys.readouterr().err)
    assert state.read_bytes() == before


@pytest.mark.slow
def test_from_a_tune_to_the_chain_in_processes(
    tmp_path_factory: pytest.TempPathFactory, addresses: Path, tmp_path: Path
):
    best = tuned(tmp_path_factory.getbasetemp())[1] / "best.json"
    exported = run("export", "--params", best, "--addresses", addresses, "--accept-verdict", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    rehearsed = run("rehearse", "--deployment", "deployment.json", "--out", "rehearsal", "--json", cwd=tmp_path)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert strict(rehearsed.stdout)["verdict"]["holds"] is True
    assert rehearsed.stderr == ""
    following = run("weights", "--params", best, "--state", "state.json", cwd=tmp_path)
    assert following.returncode == 0, following.stderr
    assert (tmp_path / "state.json").exists()


RULES = [
    {"name": "deflated_sharpe", "met": False, "value": 0.3, "threshold": 0.95, "words": "deflated Sharpe ratio 0.300"},
    {"name": "overfitting", "met": True, "value": 0.1, "threshold": 0.2, "words": "overfitting 0.10"},
    {"name": "validation", "met": None, "value": None, "threshold": 0.0, "words": "validation: no days"},
]


def judged(best: Path, to: Path, rules: list[dict[str, Any]], **more: Any) -> Path:
    """A best.json of a search with a verdict."""
    verdict = {"outcome": "nothing found", "words": "no evidence of skill; it is selection", "rules": rules}
    document = {key: value for key, value in strict(best.read_text()).items() if key != "checksums"}
    write_json(to, {**document, "trial": 3, "verdict": {**verdict, "detectable": None}, **more})
    return to


def test_an_unmet_verdict_has_to_be_accepted(best: Path, addresses: Path, tmp_path: Path, capsys):
    """Exit 2, the rules, the flag, and nothing written; with the flag the verdict is in the file."""
    found, out = judged(best, tmp_path / "best.json", RULES), tmp_path / "deployment.json"
    arguments = ("export", "--params", found, "--addresses", addresses, "--at", "2023-03-02", "--out", out)
    assert code(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"error: {found}: no evidence of skill; it is selection. Not met: deflated Sharpe ratio 0.300; validation: no "
        "days; add --accept-verdict to export it all the same\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["best.json"]
    assert code(*arguments, "--accept-verdict") == 0
    shown = capsys.readouterr().out
    assert "verdict: no evidence of skill; it is selection\n  not met  deflated Sharpe ratio 0.300\n" in shown
    assert re.search(r"^contract checks: (\d+) of \1 passed$", shown, re.M)
    assert strict(out.read_text())["verdict"] == strict(found.read_text())["verdict"]
    assert code("rehearse", "--deployment", out) == 0


def test_a_verdict_of_which_all_rules_are_met_needs_no_flag(best: Path, addresses: Path, tmp_path: Path, capsys):
    metrics = {"train": {"weight_turnover": 9.0}, "test": {"returns": 0.1, "weight_turnover": 7.25}}
    baselines = {"test": {"constant_weight": {"returns": 0.05}}}
    found = judged(best, tmp_path / "best.json", RULES[1:2], metrics=metrics, baselines=baselines)
    out = tmp_path / "deployment.json"
    assert code("export", "--params", found, "--addresses", addresses, "--at", "2023-03-02", "--out", out) == 0
    assert "weight turnover: 7.25 per year, test" in capsys.readouterr().out
    document = strict(out.read_text())
    assert document["turnover"] == {"per_year": 7.25, "period": "test"}
    assert document["test"]["metrics"] == metrics["test"]
    assert document["test"]["baselines"] == baselines["test"]
    assert document["test"]["holdout"]["start"] == "2023-04-12"
    assert document["test"]["test_looks"] is None  # outside a run folder


def test_a_search_without_a_verdict_has_to_be_accepted(best: Path, addresses: Path, tmp_path: Path, capsys):
    found = judged(best, tmp_path / "best.json", [])
    write_json(found, {**strict(best.read_text()), "trial": 3, "verdict": None})
    arguments = ("export", "--params", found, "--addresses", addresses, "--out", tmp_path / "out.json")
    assert code(*arguments) == 2
    assert capsys.readouterr().err.endswith(
        "there is no verdict on this result; add --accept-verdict to export it all the same\n"
    )
    assert code(*arguments, "--accept-verdict", "--json") == 0
    assert strict(capsys.readouterr().out)["verdict"] is None


def test_a_tuned_run_carries_its_verdict(
    tmp_path_factory: pytest.TempPathFactory, addresses: Path, tmp_path: Path, capsys
):
    """best.json has that of evidence.json; an older one, without it, has the file beside it."""
    folder = copy_of(tuned(tmp_path_factory.getbasetemp())[1], tmp_path)
    best, evidence = strict((folder / "best.json").read_text()), strict((folder / "evidence.json").read_text())
    for name in ("outcome", "words", "rules"):
        assert best["verdict"][name] == evidence["verdict"][name]
    assert best["verdict"]["detectable"] == evidence["detectable"]
    assert best["verdict"]["candidates"] == evidence["candidates"]["distinct"]
    out = tmp_path / "deployment.json"
    arguments = ("export", "--params", folder / "best.json", "--addresses", addresses, "--out", out)
    assert code(*arguments, "--accept-verdict") == 0
    capsys.readouterr()
    document = strict(out.read_text())
    assert document["verdict"] == best["verdict"]
    assert document["test"]["metrics"] == best["metrics"]["test"]
    assert document["test"]["test_looks"] == {"count": 1, "parameter_sets": 1, "damaged": 0}
    if "weight_turnover" not in best["metrics"]["test"]:
        daily = pd.read_parquet(folder / "daily.parquet")
        weights = daily[[f"weight_{token}" for token in TOKENS]].to_numpy()
        moved = sum(0.5 * abs(weights[row + 1] - weights[row]).sum() for row in range(len(weights) - 1))
        assert document["turnover"]["per_year"] == pytest.approx(moved * 365 / (56 - 1 / 1440), rel=1e-9)

    older = {key: value for key, value in best.items() if key not in ("verdict", "checksums")}
    write_json(folder / "best.json", older)
    assert code(*arguments) == 2
    assert best["verdict"]["words"] in capsys.readouterr().err
    assert code("weights", "--params", folder / "best.json", "--json") == 0
    assert strict(capsys.readouterr().out)["verdict"] == best["verdict"]
    assert code("weights", "--params", folder / "best.json") == 0
    assert f"verdict: {best['verdict']['words']}" in capsys.readouterr().out
