"""The job files of `deploy` are whole, and what they start works: on a real PostgreSQL that asks for the password."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.results.files import read_json
from momentum_opt.study.relational import database_url
from momentum_opt.study.storage import open_store
from momentum_opt.study.trials import was_sampled
from tests.postgres import needs_postgres, server
from tests.sample_runs import ROOT, SMOKE, environment

SLURM = sorted((ROOT / "deploy" / "slurm").glob("*.sbatch"))
KUBERNETES = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
PASSWORD = "not a real one"
N_TRIALS = 48

FAKE_SRUN = """#!/bin/bash
# Two tasks of a step: the command that follows the options, twice at a time.
while [[ $1 == --* ]]; do shift; done
for task in 0 1; do SLURM_PROCID=$task "$@" & tasks+=($!); done
for task in "${tasks[@]}"; do wait "$task" || code=$?; done
exit "${code:-0}"
"""

Document = Mapping[str, Any]


def documents(path: Path) -> list[Document]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def named(file: str) -> Document:
    (found,) = documents(ROOT / "deploy" / "kubernetes" / file)
    return found


def container(job: Document) -> Document:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return found


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """What docs/scaling.md sets up: a role with a password, and a database that it owns; its URL, without password."""
    with server() as url:
        engine = sa.create_engine(database_url(url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE ROLE tuner LOGIN PASSWORD '{PASSWORD}'"))
            connection.execute(sa.text("CREATE DATABASE studies OWNER tuner"))
            rules = Path(str(connection.scalar(sa.text("SHOW hba_file"))))
            rules.write_text(f"host studies tuner 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
            connection.execute(sa.text("SELECT pg_reload_conf()"))
        engine.dispose()
        place = re.sub(r"//[^@]*@(.*)/.*", r"//tuner@\1/studies", url)
        yield place


def workers_of(database: str, study: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[int]:
    """Who added each trial of the sampler."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    store = open_store(database, folder)
    found = store.find_study(study)
    assert found is not None
    trials = found.finished()
    store.close()
    return [trial.user_attrs["worker"] for trial in trials if was_sampled(trial)]


def check_result(folder: Path, workers: list[int]) -> None:
    assert N_TRIALS <= len(workers) <= N_TRIALS + 16
    assert set(workers) <= {0, 1}
    assert read_json(folder / "best.json", "best.json")["study"]["n_trials"] == len(workers)
    assert (folder / "report.html").exists()
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in written


@pytest.mark.parametrize("path", SLURM, ids=lambda path: path.name)
def test_a_slurm_script_is_bash(path: Path):
    subprocess.run(["bash", "-n", path], check=True)
    options = re.findall(r"^#SBATCH (.*)$", path.read_text(), re.MULTILINE)
    assert all(re.fullmatch(r"--[a-z-]+(=\S+)?", option) for option in options)


def test_a_slurm_script_says_what_it_lacks():
    done = subprocess.run(["bash", SLURM[0]], capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode != 0
    assert "STORAGE: give the URL of the database" in done.stderr


def test_the_variants_for_gpus_differ_in_nothing_else():
    cpu, gpu = ((ROOT / "deploy" / "slurm" / name).read_text() for name in ("tune.sbatch", "tune-gpu.sbatch"))
    bare = gpu.replace("#SBATCH --gpus-per-node=8\n", "")
    assert [line for line in bare.splitlines() if line[:2] != "# "] == [
        line for line in cpu.splitlines() if line[:2] != "# "
    ]
    plain, other = named("job.yaml"), named("job-gpu.yaml")
    other["metadata"]["name"] = plain["metadata"]["name"]
    container(other)["image"] = container(plain)["image"]
    del container(other)["resources"]["limits"]["nvidia.com/gpu"]
    del other["spec"]["template"]["spec"]["tolerations"]
    assert other == plain


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_knows_every_key(path: Path):
    """By the schemas of Kubernetes itself, unknown keys refused."""
    validator = pytest.importorskip("kubernetes_validate")
    for document in documents(path):
        validator.validate(document, validator.latest_version(), strict=True)


@pytest.mark.parametrize("file", ["job.yaml", "job-gpu.yaml", "result.yaml"])
def test_what_a_job_refers_to_is_there(file: str):
    there = {(one["kind"], one["metadata"]["name"]): one for path in KUBERNETES for one in documents(path)}
    pod = named(file)["spec"]["template"]["spec"]
    for volume in pod["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in there
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
    assert {one["name"] for one in pod["volumes"]} == {one["name"] for one in pod["containers"][0]["volumeMounts"]}
    for variable in pod["containers"][0]["env"]:
        if key := variable.get("valueFrom", {}).get("secretKeyRef"):
            assert key["key"] in there["Secret", key["name"]]["stringData"]
    assert named("job.yaml")["spec"]["completions"] == named("job.yaml")["spec"]["parallelism"]


def test_the_config_map_holds_a_configuration(tmp_path: Path):
    (tmp_path / "study.yaml").write_text(named("config.yaml")["data"]["study.yaml"])
    assert load_fingerprint(tmp_path / "study.yaml").search.study_name == "btc_eth_usdc"


def test_the_image_takes_only_what_is_there():
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} == {line for line in ignored if line.startswith("!")}


@pytest.mark.slow
@needs_postgres
@pytest.mark.parametrize("path", SLURM, ids=lambda path: path.name)
def test_a_slurm_job_of_two_tasks(path: Path, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "srun").write_text(FAKE_SRUN)
    (tmp_path / "srun").chmod(0o755)
    config = shutil.copy(SMOKE, tmp_path / f"{path.stem}.yaml")
    variables = {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "1", "STORAGE": database, "PGPASSWORD": PASSWORD, "CONFIG": str(config),
        "TRIALS": str(N_TRIALS),
    }  # fmt: skip
    Path(config).write_text(SMOKE.read_text().replace("../data", f"{ROOT}/data"))
    done = subprocess.run(
        ["bash", path], cwd=tmp_path, env={**environment(), **variables}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "slurm-1"
    check_result(folder / "result", workers_of(database, path.stem, monkeypatch, tmp_path))
    assert sorted(one.name for one in folder.iterdir()) == ["result", "test_looks.jsonl", "worker-0", "worker-1"]


@pytest.mark.slow
@needs_postgres
def test_what_kubernetes_starts(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command lines of two pods at once and of the result's, with the pods' environment and folders."""
    for name in ("config", "runs", "scratch"):
        (tmp_path / name).mkdir()
    study = yaml.safe_load(named("config.yaml")["data"]["study.yaml"])
    smoke = yaml.safe_load(SMOKE.read_text())
    (tmp_path / "config" / "study.yaml").write_text(
        yaml.safe_dump({**study, **smoke, "data": {"root": str(ROOT / "data" / "sample")},
                        "search": {**smoke["search"], **study["search"]}})
    )  # fmt: skip
    secret = {"url": database, "password": PASSWORD}
    pods = [_start(named("job.yaml"), secret, index, tmp_path) for index in ("0", "1")]
    for pod in pods:
        _, errors = pod.communicate(timeout=300)
        assert pod.returncode == 0, errors
    result = _start(named("result.yaml"), secret, "0", tmp_path)
    _, errors = result.communicate(timeout=300)
    assert result.returncode == 0, errors
    check_result(tmp_path / "runs" / "result", workers_of(database, "btc_eth_usdc", monkeypatch, tmp_path))


def _start(job: Document, secret: Mapping[str, str], index: str, folder: Path) -> subprocess.Popen[str]:
    """A pod's container as a process: `$(NAME)` as the kubelet reads it, its folders under one of the test's."""
    found = container(job)
    mounts = "|".join(one["mountPath"] for one in found["volumeMounts"])

    def here(text: str) -> str:
        return re.sub(f"^({mounts})", rf"{folder}\1", text)

    variables = {}
    for one in found["env"]:
        source = one.get("valueFrom", {})
        key = source.get("secretKeyRef")
        variables[one["name"]] = secret[key["key"]] if key else index if source else here(one["value"])
    words = [re.sub(r"\$\((\w+)\)", lambda name: variables[name[1]], here(word)) for word in found["args"]]
    words[words.index("--trials") + 1] = str(N_TRIALS)
    assert found["command"] == ["momentum-opt"]
    return subprocess.Popen(
        [sys.executable, "-m", "momentum_opt", *words],
        env={**environment(), **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
