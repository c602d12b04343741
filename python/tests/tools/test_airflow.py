"""examples/orchestration/airflow_dag.py runs in Airflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, fstore

DAG = ROOT / "examples/orchestration/airflow_dag.py"
AT = "2025-12-01T00:00:00+00:00"
BIN = Path(sys.executable).parent

# Runs a command of the DAG as its operator does, and prints what the policy decides about the failure.
DECIDE = """
import sys
sys.path.insert(0, sys.argv[1])
from airflow_dag import ByExitStatus
from airflow.providers.standard.operators.bash import BashOperator
try:
    BashOperator(task_id="t", bash_command=sys.argv[2]).execute({})
except Exception as error:
    print("decided:", ByExitStatus().evaluate(error, 1, 6).action.value)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow that knows only our DAG."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    shutil.copy(DAG, folder / "dags")
    run(folder, [str(BIN / "airflow"), "db", "migrate"])
    return folder


def run(
    home: Path, command: list[str], more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    variables = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **(more or {}),
    }
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=300)


def where(binary: Path, repo: Path) -> dict[str, str]:
    return {"PATH": f"{binary.parent}:{os.environ['PATH']}", "FSTORE_REPO": str(repo)}


def test_the_dag_runs_and_runs_again(home: Path, repo: Path, binary: Path) -> None:
    command = [str(BIN / "airflow"), "dags", "test", "features", AT]
    for _ in range(2):
        done = run(home, command, where(binary, repo))
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "keys written as of 2025-12-01T00:00:00Z" in said  # XCom: the last line of JSON
        assert "state=failed" not in said
    shown = fstore(binary, "verify", "--output", "json", repo=repo)
    assert json.loads(shown)


@pytest.mark.parametrize(
    ("command", "setting", "decided"),
    [
        ("fstore materialize", {"FSTORE_ONLINE": "redis://127.0.0.1:1/0"}, "default"),  # 6: Airflow retries
        ("fstore materialize --to yesterday", {}, "fail"),  # 2
        ("fstore materialize", {"FSTORE_ONLINE": "nonsense"}, "fail"),  # 3
        ("exit 5", {}, "fail"),
        ("kill -9 $$", {}, "default"),  # ended from outside, as for want of memory
    ],
)
def test_only_what_may_succeed_later_is_retried(
    home: Path, repo: Path, binary: Path, command: str, setting: dict[str, str], decided: str
) -> None:
    script = [sys.executable, "-c", DECIDE, str(DAG.parent), command]
    done = run(home, script, where(binary, repo) | setting)
    assert f"decided: {decided}" in done.stdout, done.stdout + done.stderr
