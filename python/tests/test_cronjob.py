"""examples/orchestration/cronjob.yaml is what Kubernetes takes, and retries what docs/cli.md says may succeed later."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT

FILE = ROOT / "examples/orchestration/cronjob.yaml"
CRONJOB = yaml.safe_load(FILE.read_text())
JOB = CRONJOB["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]


def action(status: int) -> str:
    """Returns what Kubernetes does about a container that exits with a status: the first rule that matches."""
    for rule in JOB["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes", {"operator": "In", "values": []})
        if (status in codes["values"]) == (codes["operator"] == "In"):
            return str(rule["action"])
    return "Count"


@pytest.mark.parametrize("version", ["1.31", "1.37"])  # podFailurePolicy is stable since 1.31
def test_kubernetes_takes_it(version: str) -> None:
    kubernetes_validate.validate(CRONJOB, version, strict=True)


def test_it_keeps_the_rules_that_the_schema_does_not_have() -> None:
    assert POD["restartPolicy"] == "Never"
    for rule in JOB["podFailurePolicy"]["rules"]:
        assert ("onExitCodes" in rule) != ("onPodConditions" in rule)
        if codes := rule.get("onExitCodes"):
            assert codes["containerName"] == CONTAINER["name"]
            assert codes["values"] == sorted(set(codes["values"]) - {0})
    assert {m["name"] for m in CONTAINER["volumeMounts"]} == {v["name"] for v in POD["volumes"]}


def test_every_exit_status_has_its_action() -> None:
    table = (ROOT / "docs/cli.md").read_text().split("## Exit status")[1].split("\n## ")[0]
    statuses = {int(row) for row in re.findall(r"^\| (\d) \|", table, re.MULTILINE)} - {0}
    assert {status: action(status) for status in statuses} == {
        1: "Count",
        2: "FailJob",
        3: "FailJob",
        4: "FailJob",
        5: "FailJob",
        6: "Count",
        7: "FailJob",
    }


@pytest.mark.parametrize(
    ("setting", "status", "want"),
    [
        ({}, 0, "Count"),
        ({"FSTORE_ONLINE": "redis://127.0.0.1:1/0"}, 6, "Count"),
        ({"FSTORE_ONLINE": "nonsense"}, 3, "FailJob"),
        ({"FSTORE_OFFLINE_THREADS": "many"}, 3, "FailJob"),
    ],
)
def test_its_command_ends_so(
    setting: dict[str, str], status: int, want: str, binary: Path, repo: Path
) -> None:
    given: dict[str, Any] = {entry["name"]: entry.get("value") for entry in CONTAINER["env"]}
    variables = {name: value for name, value in given.items() if value is not None} | setting
    command = [str(binary), *CONTAINER["command"][1:]]
    assert CONTAINER["command"][0] == "fstore"
    done = subprocess.run(
        command, cwd=repo, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, action(done.returncode)) == (status, want), done.stderr
