"""A run knows its files of costs: another content is another run."""

import pytest

from momentum_opt.errors import RunFolderError
from momentum_opt.results.run_folder import check_same_run
from tests.sample_runs import smoke


def identity(sha: str, **extra: object) -> dict[str, object]:
    files = [{"token": "SYNA", "sha256": "a" * 64}]
    return {
        "fingerprint": smoke().to_dict(),
        "data": {"files": files, "costs": [{"name": "fees", "sha256": sha}]} | extra,
    }


def test_changed_files_of_costs_are_named() -> None:
    check_same_run("here", identity("b" * 64), identity("b" * 64), "give another --run-dir")
    with pytest.raises(RunFolderError, match=r"costs\.fees bbbbbbbbbbbb → cccccccccccc; undo the change, or give"):
        check_same_run("here", identity("b" * 64), identity("c" * 64), "give another --run-dir")


def test_a_run_of_before_there_were_such_files_goes_on() -> None:
    old = {"fingerprint": smoke().to_dict(), "data": {"files": [{"token": "SYNA", "sha256": "a" * 64}]}}
    check_same_run("here", old, identity("", costs=[]), "give another --run-dir")
