"""examples/orchestration/kfp_pipeline.py compiles, and runs on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import joblib
import kfp_pipeline
import pandas as pd
import pytest
import yaml
from kfp import local

import fstore


def test_the_pipeline_compiles(tmp_path: Path) -> None:
    subprocess.run([sys.executable, kfp_pipeline.__file__], cwd=tmp_path, check=True)
    pipeline, platforms = yaml.safe_load_all((tmp_path / "training.yaml").read_text())
    tasks = pipeline["root"]["dag"]["tasks"]
    assert set(tasks) == {"training-set", "train"}
    assert not tasks["training-set"]["cachingOptions"].get("enableCache")
    executors = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    (volume,) = executors["exec-training-set"]["pvcMount"]
    assert volume["mountPath"] == "/features"
    for executor in pipeline["deploymentSpec"]["executors"].values():
        assert "'fstore-sdk[local]'" in " ".join(executor["container"]["command"])


@pytest.fixture
def _here(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Components run on this machine. What they install is here already, and a command instead of fstore-bin."""
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "runs"))


@pytest.mark.usefixtures("_here")
def test_the_training_set_runs_and_runs_again(repo: Path, binary: Path) -> None:
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


@pytest.mark.usefixtures("_here")
def test_the_pipeline_trains_on_the_training_set(repo: Path, binary: Path, tmp_path: Path) -> None:
    run = kfp_pipeline.training(repo=str(repo), name="churn_kfp", labels=str(repo / "data/labels.parquet"))
    ts = fstore.Repo(repo, binary=binary).training_set("churn_kfp")
    frame = ts.to_pandas().sort_values("event_timestamp")
    last = frame[len(frame) * 3 // 4 :]
    (file,) = tmp_path.glob("runs/**/model")
    model = joblib.load(file)
    assert list(model.feature_names_in_) == [
        name for name in ts.features if pd.api.types.is_numeric_dtype(frame[name])
    ]
    right = model.predict(last[list(model.feature_names_in_)]) == last[ts.label]
    assert run.output == pytest.approx(right.mean())
    assert right.mean() > 0.5  # better than a coin
