"""Training sets in Weights & Biases and in Comet: the lock as an artifact, the digest as the version."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from fstore import _runs
from fstore.errors import InvalidRequest

if TYPE_CHECKING:
    from fstore.training import TrainingSet


def log_to_wandb(training_set: TrainingSet, run: Any = None, *, file: bool = False) -> Any:
    """Logs a training set to a W&B run, and returns the artifact. It is `TrainingSet.log_to_wandb`."""
    import wandb

    run = run or wandb.run
    if run is None:
        raise InvalidRequest("there is no W&B run", ["call wandb.init() first, or pass the run"])
    profile = _runs.profile(training_set)
    artifact = wandb.Artifact(
        training_set.name,
        type="dataset",
        description=training_set._title(),
        metadata={
            **{k: v for k, v in profile.items() if k != "columns"},
            **_runs.tags(training_set),
            "path": training_set._location(),
        },
    )
    with artifact.new_file("training_set.lock.json", mode="xb") as lock:
        lock.write(training_set._lock_text().encode())  # the same bytes on every system
    if file:
        artifact.add_file(os.fspath(training_set.checked().path), name="training_set.parquet")
    run.config.update(_runs.tags(training_set))
    if run.offline:
        return run.log_artifact(artifact)  # offline, W&B takes no inputs
    return run.use_artifact(artifact)


def log_to_comet(training_set: TrainingSet, experiment: Any) -> None:
    """Logs a training set to a Comet experiment. It is `TrainingSet.log_to_comet`."""
    experiment.log_dataset_info(
        name=training_set.name,
        version=training_set.digest[: _runs.SHORT],
        path=training_set._location(),
    )
    experiment.log_asset(io.StringIO(training_set._lock_text()), file_name=_runs.lock_artifact())
    experiment.log_others(_runs.tags(training_set))
