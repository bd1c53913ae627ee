"""Two tunes in one folder, and two studies of one name in one storage."""

import subprocess
import sys
from pathlib import Path

import pytest

from momentum_opt.api import tuning
from momentum_opt.errors import RunFolderError
from momentum_opt.study.journal import sole_run
from tests.sample_runs import smoke


def test_second_run_in_a_folder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    hold = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from momentum_opt.study.journal import sole_run\n"
        "with sole_run(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    lock = tmp_path / "run.lock"
    with subprocess.Popen([sys.executable, "-c", hold, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match="another tune is at work"), sole_run(lock):
            pass
        holder.kill()
    with sole_run(lock):
        pass


def test_study_of_another_configuration_in_a_shared_storage_is_refused(tmp_path: Path) -> None:
    storage = [f"search.storage=sqlite:///{tmp_path}/study.db", "search.study_name=shared", "search.n_trials=8"]
    tuning.tune(smoke(*storage), tmp_path / "one")
    with pytest.raises(RunFolderError, match=r"study shared: .*search\.seed 0 → 1.*give another search\.study_name"):
        tuning.tune(smoke(*storage, "search.seed=1"), tmp_path / "two")
