"""Evidently reads the training set and the served log as they are, by examples/monitoring/evidently.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT, fstore, serving

DEFINITIONS = """
kind: entity
name: user
join_keys: [{name: id, type: int64}]
---
kind: source
name: rows
path: rows.parquet
---
kind: feature_view
name: user_facts
entities: [user]
source: rows
features:
  - {name: spend, type: float64}
  - {name: visits, type: int64}
  - {name: country, type: string}
  - {name: vector, type: list<float32>}
---
kind: feature_service
name: churn
features: [user_facts.*]
"""
ROWS = 2000


@pytest.fixture(scope="module")
def repo(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repo whose model was asked for the users that spend most, and not for the others."""
    folder = tmp_path_factory.mktemp("served")
    rng = np.random.default_rng(7)
    users = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "spend": rng.lognormal(3, 1, ROWS),
            "visits": rng.poisson(20, ROWS),
            "country": rng.choice(["DE", "FR", "GB"], ROWS),
            "vector": list(rng.normal(size=(ROWS, 2)).astype(np.float32)),
        }
    )
    users.to_parquet(folder / "rows.parquet")
    (folder / "fstore.yaml").write_text("project: served\n")
    (folder / "churn.yaml").write_text(DEFINITIONS)
    labels = users[["id"]].assign(event_timestamp=pd.Timestamp("2025-11-01", tz="UTC"))
    labels.to_parquet(folder / "labels.parquet")
    fstore(binary, "apply", "--yes", repo=folder)
    made = ["--labels", str(folder / "labels.parquet"), "--out", str(folder / "churn.parquet")]
    fstore(binary, "training-set", "create", "churn", "--service", "churn", *made, repo=folder)
    fstore(binary, "materialize", repo=folder)
    fstore(binary, "model", "pin", "churn", "7", "--training-set", "churn", repo=folder)
    users.nlargest(ROWS // 4, "spend")[["id"]].to_parquet(folder / "asked.parquet")
    log = ["--served-log", str(folder / "served"), "--served-log-sample", "100%"]
    with serving(binary, folder, *log) as address:
        asked = ["--model", "churn@7", "--entities", str(folder / "asked.parquet"), "--output", "json"]
        fstore(binary, "get", "--grpc", address, *asked, repo=folder)
    return folder


def report(repo: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Runs the example in another folder, as a reader would."""
    command = [sys.executable, str(ROOT / "examples/monitoring/evidently.py"), "churn.lock.json", *args]
    return subprocess.run(command, cwd=repo, env=os.environ, capture_output=True, text=True, check=False)


def test_evidently_and_fstore_say_the_same_of_what_was_served(binary: Path, repo: Path) -> None:
    done = report(repo, "served/models/churn@7", "--days", "7", "--html", "report.html")
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == f"{ROWS // 4} answers against {ROWS} rows of churn"
    theirs = {line.split(":")[0]: line.split()[1] for line in lines}
    assert theirs == {"spend": "drifted", "visits": "stable", "country": "stable"}
    sides = ["--reference", "churn", "--current", "served", "--log", str(repo / "served")]
    said = fstore(binary, "drift", *sides, "--output", "json", repo=repo)
    ours = {f["name"]: f["verdict"] for f in json.loads(said)["features"]}
    assert ours == theirs | {"vector": "stable"}
    page = (repo / "report.html").read_text()
    assert len(page) > 100_000
    assert "spend" in page


def test_a_training_set_that_has_changed_is_no_reference(repo: Path) -> None:
    changed = repo / "changed.parquet"
    changed.write_bytes((repo / "churn.parquet").read_bytes() + b" ")
    (repo / "changed.lock.json").write_text((repo / "churn.lock.json").read_text())
    script = str(ROOT / "examples/monitoring/evidently.py")
    done = subprocess.run(
        [sys.executable, script, "changed.lock.json", "served/models/churn@7"],
        cwd=repo,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "changed.parquet is not the training set of" in done.stderr


def test_a_log_without_sealed_files_is_named(repo: Path) -> None:
    (repo / "empty").mkdir()
    done = report(repo, "empty")
    assert done.returncode == 1
    assert "empty has no sealed file yet" in done.stderr
