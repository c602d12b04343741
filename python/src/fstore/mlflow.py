"""fstore and MLflow: training sets as datasets of runs, and pins of model versions. `pip install 'fstore-sdk[mlflow]'`.

    ts.log_to_mlflow()                                                 # in a run
    fstore.mlflow.pin("models:/fraud/7", ts)                           # the version gets exactly these features
    fstore.score_batch("models:/fraud@champion", labels, repo=repo)    # features as of each row's instant → predictions

The server is the one that MLflow itself is set to use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fstore import _runs
from fstore.errors import Error, InvalidRequest, NotFound
from fstore.flight import RemoteTrainingSet
from fstore.repo import Repo
from fstore.training import TrainingSet

try:
    import mlflow.data  # before our own classes: it loads them itself, as a plugin
except ImportError as e:
    raise ImportError("MLflow is not installed: pip install 'fstore-sdk[mlflow]'") from e

from fstore._mlflow_dataset import FstoreDataset, FstoreDatasetSource

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from fstore.results import Pin

_TAGS = ("fstore.pin", "fstore.training_set", "fstore.service", "fstore.project")


def log_training_set(training_set: TrainingSet, run_id: str | None = None, context: str = "training") -> str:
    """Logs a training set to a run, and returns the run's ID. It is `TrainingSet.log_to_mlflow`."""
    from mlflow.entities import DatasetInput, InputTag

    if run_id is None:
        run_id = (mlflow.active_run() or mlflow.start_run()).info.run_id
    client = mlflow.MlflowClient()
    entity = FstoreDataset(training_set)._to_mlflow_entity()
    client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", context)])])
    client.log_text(run_id, training_set._lock_text(), _runs.lock_artifact(context))
    for key, value in _runs.tags(training_set, context).items():
        client.set_tag(run_id, key, value)
    return str(run_id)


def pin(
    model_uri: str,
    training_set: TrainingSet | str | None = None,
    *,
    service: str | None = None,
    repo: Repo | str | os.PathLike[str] | None = None,
) -> Pin:
    """Pins features to a version of a model, and tags the version in MLflow with what it is pinned to.

    model_uri: models:/NAME/VERSION or models:/NAME@ALIAS.
    training_set: the one that the model learned from, or its name. Or `service`, whose features the model gets.
    repo: the feature repo; by default that of the training set, else (also for one of a server) that of the working directory.

    Unlike the command `fstore model pin`, this works with every kind of model registry that MLflow knows. The pin comes
    first: if tagging fails, it stands, and the same call again tags the version. Returns what `Repo.pin_model` returns.
    """
    from mlflow.exceptions import MlflowException

    if (
        repo is None
        and isinstance(training_set, TrainingSet)
        and not isinstance(training_set, RemoteTrainingSet)
    ):
        repo = training_set._repo
    version = resolve(model_uri)
    pinned = _repo(repo).pin_model(version.name, version.version, training_set=training_set, service=service)
    client = mlflow.MlflowClient()
    try:
        for key in _TAGS:
            if key in pinned["tags"]:
                client.set_model_version_tag(version.name, version.version, key, pinned["tags"][key])
            elif key in version.tags:
                client.delete_model_version_tag(version.name, version.version, key)
    except MlflowException as e:
        raise Error(
            f"model {version.name}@{version.version} is pinned, but not tagged in MLflow: {e}",
            ["the pin stands; call pin again to tag the version"],
        ) from e
    return pinned


def resolve(model_uri: str) -> ModelVersion:
    """Returns the version that models:/NAME/VERSION or models:/NAME@ALIAS names. Raises `NotFound`."""
    from mlflow.exceptions import MlflowException

    wrong = InvalidRequest(
        f"{model_uri!r} names no version of a registered model",
        ["models:/NAME/VERSION or models:/NAME@ALIAS"],
    )
    path = model_uri.removeprefix("models:/")
    if path == model_uri:
        raise wrong
    name, _, version = path.partition("/")
    of_alias, _, alias = path.partition("@")
    client = mlflow.MlflowClient()
    try:
        if of_alias and alias and "/" not in path:
            return client.get_model_version_by_alias(of_alias, alias)
        if name and version.isdigit():
            return client.get_model_version(name, version)
    except MlflowException as e:
        if e.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise NotFound(f"{model_uri}: {e.message}") from e
        raise
    raise wrong


def _repo(repo: Repo | str | os.PathLike[str] | None) -> Repo:
    return repo if isinstance(repo, Repo) else Repo("." if repo is None else repo)


__all__ = ["FstoreDataset", "FstoreDatasetSource", "log_training_set", "pin", "resolve"]
