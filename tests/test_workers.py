"""How several worker processes share a machine."""

from typing import Any

import pytest

from momentum_opt.api.workers import WorkerProgress, gpu_environment, share, visible_gpus


@pytest.mark.parametrize("n_things", range(10))
@pytest.mark.parametrize("n_workers", range(1, 10))
def test_shares(n_things: int, n_workers: int):
    things = list(range(100, 100 + n_things))
    shares = [share(things, place, n_workers) for place in range(n_workers)]
    sizes = [len(one) for one in shares]
    if n_things >= n_workers:
        assert [one for part in shares for one in part] == things
        assert max(sizes) - min(sizes) <= 1
    elif n_things:
        assert sizes == [1] * n_workers
        counts = [sum(part == [one] for part in shares) for one in things]
        assert max(counts) - min(counts) <= 1
    else:
        assert sizes == [0] * n_workers


def test_gpus():
    assert gpu_environment([], 0, 4) == {}
    four = ["0", "1", "2", "3"]
    assert [gpu_environment(four, place, 2) for place in range(2)] == [
        {"CUDA_VISIBLE_DEVICES": "0,1"},
        {"CUDA_VISIBLE_DEVICES": "2,3"},
    ]
    crowded = [gpu_environment(["GPU-a", "GPU-b"], place, 3) for place in range(3)]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in crowded] == ["GPU-a", "GPU-b", "GPU-a"]
    assert {one["XLA_PYTHON_CLIENT_MEM_FRACTION"] for one in crowded} == {"0.375"}


def test_visible_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-x")
    assert visible_gpus() == ["2", "GPU-x"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("momentum_opt.api.workers.GPU_FOLDER", tmp_path)
    assert visible_gpus() == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert visible_gpus() == ["0", "1"]


def event(done: int, failed: int, best: tuple[int, float] | None, what: str = "trials") -> dict[str, Any]:
    told = None if best is None else {"number": best[0], "objectives": [best[1]], "violation": 0.0}
    return {"what": what, "total": 50, "done": done, "failed": failed, "best": told}


def test_reports_of_several_workers_are_one_progress(monkeypatch: pytest.MonkeyPatch):
    """Each counts the whole study, and an older count may come after a newer one."""
    monkeypatch.setattr("momentum_opt.api.workers.time.monotonic", lambda: 107.5)
    crew = WorkerProgress(at_start=8, began=100.0)
    screened = crew.take(event(20, 1, None, "screened"), 100)
    assert (screened.what, screened.done, screened.total, screened.new, screened.best) == ("screened", 20, 50, 20, None)
    seen = [crew.take(one, 100) for one in (event(24, 2, (3, 1.5)), event(16, 1, None), event(32, 2, (30, 2.5)))]
    assert [(one.done, one.total, one.new, one.failed) for one in seen] == [
        (24, 100, 16, 2), (24, 100, 16, 2), (32, 100, 24, 2),
    ]  # fmt: skip
    assert [None if one.best is None else (one.best.number, one.best.objectives) for one in seen] == [
        (3, (1.5,)), (3, (1.5,)), (30, (2.5,)),
    ]  # fmt: skip
    assert {one.seconds for one in seen} == {7.5}
