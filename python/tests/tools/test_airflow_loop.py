"""examples/orchestration/airflow_loop.py has steps of `make loop`, in their order, and retrains only after drift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2  # type: ignore[import-not-found]
import pytest
from airflow.sdk.execution_time import macros  # type: ignore[import-not-found]

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


# What Airflow makes of the expressions in the commands.
EXPRESSIONS = {
    "{{ dag_run.run_after | ts }}": "2025-12-01T00:00:00+00:00",
    "{{ (dag_run.run_after - macros.timedelta(days=1)).strftime('%Y-%m') }}": "2025-11",
    "{{ dag_run.run_after.strftime('%Y%m%dT%H%M%S') | lower }}": "20251201t000000",
    "{{ ti.xcom_pull('train') }}": "7",
}


def rendered(command: str) -> str:
    for expression, text in EXPRESSIONS.items():
        command = command.replace(expression, text)
    assert "{{" not in command
    return command


def test_expressions_have_these_values() -> None:
    environment = jinja2.Environment()
    environment.filters["ts"] = datetime.isoformat
    variables = {
        "dag_run": SimpleNamespace(run_after=datetime(2025, 12, 1, tzinfo=timezone.utc)),
        "macros": macros,
        "ti": SimpleNamespace(xcom_pull={"train": "7"}.get),
    }
    for expression, text in EXPRESSIONS.items():
        assert environment.from_string(expression).render(variables) == text


def stand(folder: Path, command: str, does: str) -> None:
    """Puts a script in the place of a command."""
    (folder / command).write_text(f"#!/bin/sh\n{does}\n")
    (folder / command).chmod(0o755)


def test_fstore_takes_every_command(tasks: list[Any], binary: Path, tmp_path: Path) -> None:
    """Notes how fstore is called, and calls it so in a repo that has nothing: it may fail, but not because of its usage."""
    calls = tmp_path / "calls"
    stand(
        tmp_path,
        "fstore",
        f'echo "$*" >>{calls}\ncase $1 in drift) exit 4 ;; esac; echo \'{{"training_set": "returns_1"}}\'',
    )
    stand(tmp_path, "jq", "cat >/dev/null; echo returns_1")
    for command in ("python", "dvc"):
        stand(tmp_path, command, "")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "FSTORE_REPO": str(tmp_path),
        "LOOP": str(tmp_path),
    }
    for name, _, command in tasks:
        ran = subprocess.run(["bash", "-c", rendered(command)], env=environment, check=False)
        assert ran.returncode == 0, name
    (tmp_path / "fstore.yaml").write_text(
        "project: shop\nregistry: sqlite://registry.db\nonline: redis://127.0.0.1:1/0\n"
    )
    called = calls.read_text().splitlines()
    assert len(called) == sum(command.count("fstore ") for _, _, command in tasks)
    for call in called:
        done = subprocess.run(
            [binary, *call.split()],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 2, f"{call}: {done.stderr}"


@pytest.mark.parametrize(
    ("show", "drift", "expected"), [(0, 4, 0), (0, 0, 99), (0, 2, 2), (0, 6, 6), (6, 0, 6), (1, 4, 1)]
)
def test_only_drift_goes_beyond_the_alert(
    show: int, drift: int, expected: int, tasks: list[Any], tmp_path: Path
) -> None:
    """Also a model that cannot be read ends the task with the status that says why, whatever jq makes of nothing."""
    stand(tmp_path, "fstore", f"case $1 in drift) exit {drift} ;; model) echo {{}}; exit {show} ;; esac")
    stand(tmp_path, "jq", "cat")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FSTORE_REPO": str(tmp_path)}
    done = subprocess.run(["bash", "-c", tasks[0][2]], env=environment, check=False)
    assert done.returncode == expected


def test_nothing_runs_outside_the_repo(tasks: list[Any], tmp_path: Path) -> None:
    for command in ("fstore", "jq", "python", "dvc"):
        stand(tmp_path, command, f"touch {tmp_path}/ran")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FSTORE_REPO": str(tmp_path / "missing")}
    for name, _, command in tasks:
        done = subprocess.run(["bash", "-c", rendered(command)], env=environment, cwd=tmp_path, check=False)
        assert done.returncode == 1, name
    assert not (tmp_path / "ran").exists()
