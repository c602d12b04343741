"""examples/orchestration/kfp_pipeline.py compiles, and runs on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kfp_pipeline
import pytest
import yaml
from kfp import local

import fstore


def test_the_pipeline_compiles(tmp_path: Path) -> None:
    subprocess.run([sys.executable, kfp_pipeline.__file__], cwd=tmp_path, check=True)
    pipeline = yaml.safe_load((tmp_path / "training.yaml").read_text())
    assert set(pipeline["root"]["dag"]["tasks"]) == {"training-set", "train"}
    for executor in pipeline["deploymentSpec"]["executors"].values():
        assert "'fstore-sdk[local]'" in " ".join(executor["container"]["command"])


def test_the_training_set_runs_and_runs_again(
    repo: Path, binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    monkeypatch.setenv(
        "PIP_NO_DEPS", "1"
    )  # what the components install is here, and the command instead of fstore-bin
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "runs"))
    labels = str(repo / "data/labels.parquet")
    for _ in range(2):
        made = kfp_pipeline.training_set(
            repo=str(repo), name="churn_kfp", service="churn", labels=labels, label="reordered"
        )
        rows = made.outputs["rows"]
        ts = fstore.Repo(repo, binary=binary).training_set("churn_kfp")
        assert rows.metadata["digest"] == ts.digest
        assert Path(rows.path).read_bytes() == ts.path.read_bytes()
        assert Path(made.outputs["lock"].path).read_bytes() == ts.lock_path.read_bytes()
