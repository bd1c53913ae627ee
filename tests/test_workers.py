"""How several worker processes share a machine."""

import pytest

from momentum_opt.api.workers import gpu_environment, share, visible_gpus


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
