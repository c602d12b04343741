"""Training sets in trackers that have an offline mode, without their servers."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import fstore
from tests.conftest import serving


@pytest.fixture(params=["of a repo", "of a server"])
def known(request: pytest.FixtureRequest, made: fstore.TrainingSet) -> Iterator[fstore.TrainingSet]:
    """A training set, on this machine or of a server."""
    if request.param == "of a repo":
        yield made
        return
    with (
        serving(Path(made._repo._command.binary), made._repo.path, "--offline") as address,
        fstore.Client(address) as client,
    ):
        yield client.training_set(made.name)


def test_wandb_gets_the_lock_as_a_dataset(
    known: fstore.TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path))
    with pytest.raises(fstore.InvalidRequest, match="there is no W&B run"):
        known.log_to_wandb()
    with wandb.init(mode="offline", project="shop", dir=tmp_path) as run:
        artifact = known.log_to_wandb(file=True)
        assert run.config["fstore.training_set"] == f"churn_2025@{known.digest[:32]}"
    assert (artifact.name, artifact.type) == ("churn_2025", "dataset")
    assert sorted(artifact.manifest.entries) == ["training_set.lock.json", "training_set.parquet"]
    assert artifact.metadata["digest"] == known.digest
    assert artifact.metadata["rows"] == known.rows


def test_comet_gets_the_dataset_and_the_lock(known: fstore.TrainingSet, tmp_path: Path) -> None:
    import comet_ml

    experiment = comet_ml.OfflineExperiment(
        project_name="shop", workspace="team", offline_directory=str(tmp_path), log_code=False, disabled=False
    )
    known.log_to_comet(experiment)
    experiment.end()
    (archive,) = tmp_path.glob("*.zip")
    with zipfile.ZipFile(archive) as z:
        text = z.read("messages.json").decode()
        names = z.namelist()
        assets = [z.read(n) for n in names if n not in ("messages.json", "experiment.json")]
    assert f"churn_2025@{known.digest[:32]}" in text
    assert known.digest[:32] in text
    assert "fstore/training_set.lock.json" in text
    assert known.lock["digest"] in [json.loads(a).get("digest") for a in assets if a.startswith(b"{")], names
