"""examples/orchestration/airflow_loop.py has the steps of `make loop`, in their order, and retrains only after drift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.test_loop import names

# Prints the tasks in the order in which Airflow runs them, and what each must wait for.
TASKS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow_loop import dag
print("tasks:", json.dumps([[t.task_id, sorted(t.upstream_task_ids), t.bash_command] for t in dag.topological_sort()]))
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    home = tmp_path_factory.mktemp("airflow")
    done = subprocess.run(
        [sys.executable, "-c", TASKS, str(ROOT / "examples/orchestration")],
        env={**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (x for x in done.stdout.splitlines() if x.startswith("tasks: "))
    return list(json.loads(line.removeprefix("tasks: ")))


def test_the_dag_has_the_steps_of_the_loop(tasks: list[Any]) -> None:
    assert [name for name, _, _ in tasks] == names()
    assert [before for _, before, _ in tasks] == [[], *([name] for name in names()[:-1])]


@pytest.mark.parametrize(("drift", "expected"), [(4, 0), (0, 99), (2, 2), (6, 6)])
def test_only_drift_goes_beyond_the_alert(
    drift: int, expected: int, tasks: list[Any], tmp_path: Path
) -> None:
    for command, does in (("fstore", f'case $1 in drift) exit {drift} ;; esac; echo "{{}}"'), ("jq", "cat")):
        (tmp_path / command).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / command).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FSTORE_REPO": str(tmp_path)}
    done = subprocess.run(["bash", "-c", tasks[0][2]], env=environment, check=False)
    assert done.returncode == expected
