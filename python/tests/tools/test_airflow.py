"""examples/orchestration/airflow_dag.py runs in Airflow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT, fstore

DAG = ROOT / "examples/orchestration/airflow_dag.py"
AT = "2025-12-01T00:00:00+00:00"
PUBLISHED = {
    "customer_orders": "2025-12-01T00:00:00Z",
    "customer_large_orders": "2025-12-01T00:00:00Z",
    "customer_totals": "2025-11-30T02:00:00Z",  # it is published once a day, at two
    "customer_profile": "2025-12-01T00:00:00Z",
    "shop": "2025-12-01T00:00:00Z",
}
BIN = Path(sys.executable).parent

# Runs commands as the operators of the DAG do, and prints what Airflow decides about each: skip, or what the policy says.
DECIDE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow_dag import dag
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk.exceptions import AirflowSkipException
policy = dag.get_task("materialize_shop").retry_policy
for command, variables in json.loads(sys.argv[2]):
    try:
        BashOperator(task_id="t", bash_command=command, env=variables, append_env=True).execute({})
        decided = "success"
    except AirflowSkipException:
        decided = "skip"
    except Exception as error:
        decided = policy.evaluate(error, 1, 6).action.value
    print("decided:", decided)
"""
CASES: list[tuple[str, dict[str, str], str]] = [
    ("fstore materialize", {}, "success"),
    ("fstore materialize", {"FSTORE_ONLINE": "redis://127.0.0.1:1/0"}, "default"),  # 6: Airflow retries
    ("fstore materialize --to yesterday", {}, "fail"),  # 2
    ("fstore materialize", {"FSTORE_ONLINE": "nonsense"}, "fail"),  # 3
    ("exit 1", {}, "default"),  # as when the command was stopped
    ("exit 4", {}, "fail"),
    ("exit 5", {}, "fail"),
    ("exit 7", {}, "fail"),
    ("exit 99", {}, "skip"),  # what a wrapper of yours can say; fstore never does
    ("exit 127", {}, "default"),  # a worker that lacks the command; another may have it
    ("kill -9 $$", {}, "default"),  # ended from outside, as for want of memory
]


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


def test_the_dag_runs_and_runs_again(home: Path, binary: Path, tmp_path: Path) -> None:
    repo = tmp_path / "shop"
    fstore(binary, "init", str(repo))
    fstore(binary, "apply", "--yes", repo=repo)
    command = [str(BIN / "airflow"), "dags", "test", "features", AT]
    for _ in range(2):
        done = run(home, command, where(binary, repo))
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        reported = dict(re.findall(r"(\w+): \d+ keys written as of ([0-9TZ:-]+)", said))  # from XCom
        assert reported == PUBLISHED, said
        assert "state=failed" not in said
    fstore(binary, "verify", "--service", "churn", repo=repo)


@pytest.mark.parametrize(("online", "attempts"), [("redis://127.0.0.1:1/0", 2), ("nonsense", 1)])
def test_airflow_tries_again(
    online: str, attempts: int, home: Path, repo: Path, binary: Path, tmp_path: Path
) -> None:
    hasty = DAG.read_text().replace('"retries": 5', '"retries": 1').replace("minutes=1)", "minutes=0)")
    hasty = hasty.replace('"features"', f'"hasty_{attempts}"')
    (home / f"dags/hasty_{attempts}.py").write_text(hasty)
    calls = tmp_path / "calls"
    command = tmp_path / "fstore"
    command.write_text(f'#!/bin/sh\necho "$1 $2" >>{calls}\nexec {binary} "$@"\n')
    command.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FSTORE_ONLINE": online}
    airflow = [str(BIN / "airflow"), "dags", "test", f"hasty_{attempts}", AT]
    done = run(home, airflow, where(binary, repo) | variables)
    made = calls.read_text().splitlines()
    assert Counter(made) == {f"materialize {view}": attempts for view in PUBLISHED}, done.stdout + done.stderr


def test_only_what_may_succeed_later_is_retried(home: Path, repo: Path, binary: Path) -> None:
    commands = json.dumps([case[:2] for case in CASES])
    done = run(home, [sys.executable, "-c", DECIDE, str(DAG.parent), commands], where(binary, repo))
    decided = re.findall("^decided: (.*)$", done.stdout, re.MULTILINE)
    assert decided == [case[2] for case in CASES], done.stdout + done.stderr
