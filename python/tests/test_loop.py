"""The workflow of examples/github has the steps that `make loop` runs and checks."""

from __future__ import annotations

import steps
import yaml

from tests.conftest import ROOT

CHECKS = ["every_answer", "skew"]  # what only the loop does: it makes the load, and has the served log


def names() -> list[str]:
    """What the loop does from an alert on, by the names of its first round."""
    return [s.__name__.removesuffix("_again") for s in steps.ROUND if s.__name__ not in CHECKS]


def test_the_workflow_has_the_steps_of_the_loop() -> None:
    workflow = yaml.safe_load((ROOT / "examples/github/loop.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert [s["id"] for s in job["steps"] if "id" in s] == names()


def test_only_drift_goes_beyond_the_alert() -> None:
    workflow = yaml.safe_load((ROOT / "examples/github/loop.yml").read_text())
    (job,) = workflow["jobs"].values()
    alert, *others = (s for s in job["steps"] if "id" in s)
    assert "if" not in alert
    assert {s["if"] for s in others} == {"steps.alert.outputs.drifted == 'true'"}
    assert job["defaults"]["run"]["shell"] == "bash"  # with pipefail: a gate that refuses ends the job
