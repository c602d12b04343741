"""A training set as a dataset of MLflow, and its source. MLflow loads this module as a plugin."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource

from fstore import _runs
from fstore.errors import CheckFailed

if TYPE_CHECKING:
    from fstore.repo import Repo
    from fstore.training import TrainingSet

SOURCE_TYPE = "fstore_training_set"


class FstoreDatasetSource(DatasetSource):  # type: ignore[misc]
    """Where a training set is: `mlflow.data.get_source(run.inputs.dataset_inputs[0]).load()` returns it again."""

    def __init__(self, training_set: str, project: str, digest: str, repo: str) -> None:
        self.training_set = training_set
        """Its name."""
        self.project = project
        self.digest = digest
        """Of its rows and columns, 64 hex digits."""
        self.repo = repo
        """The folder of the feature repo, where the training set was logged."""

    @staticmethod
    def _get_source_type() -> str:
        return SOURCE_TYPE

    def load(self, repo: Repo | str | os.PathLike[str] | None = None) -> TrainingSet:
        """Returns the training set that the run used: the file is checked against the digest in its lock.

        `repo` is the feature repo; else the one that $FSTORE_REPO names, else the folder where it was logged. A file that
        is gone is made again from the lock. Raises `NotFound` if the registry has no such training set, `CheckFailed` if
        the name belongs to another one now, or if its inputs no longer give the same content, and `DataLoss` if the file
        has changed.
        """
        from fstore.repo import Repo

        opened = repo if isinstance(repo, Repo) else Repo(repo or os.environ.get("FSTORE_REPO") or self.repo)
        record = opened._run("training-set", "show", self.training_set).result
        found = record["lock"]["output"]["content"]
        if found != self.digest:
            raise CheckFailed(
                f"training set {self.training_set} is not the one that the run used: "
                f"its digest is {found[: _runs.SHORT]}, and that of the run is {self.digest[: _runs.SHORT]}",
                ["another training set has its name now: fstore training-set list"],
            )
        if not Path(record["out"]).exists():
            opened._run("training-set", "rebuild", self.training_set, "--out", record["out"])
        return opened.training_set(self.training_set).checked()

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        from fstore.training import TrainingSet

        return isinstance(raw_source, TrainingSet)

    @classmethod
    def _resolve(cls, raw_source: TrainingSet) -> FstoreDatasetSource:
        return cls(
            raw_source.name,
            raw_source.lock["registry"]["project"],
            raw_source.digest,
            os.fspath(raw_source._repo.path),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns what `from_dict` reads."""
        return {
            "training_set": self.training_set,
            "project": self.project,
            "digest": self.digest,
            "repo": self.repo,
        }

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> FstoreDatasetSource:
        """Returns the source that `to_dict` described."""
        return cls(**{k: source_dict[k] for k in ("training_set", "project", "digest", "repo")})

    _to_dict = to_dict  # the names in MLflow 2.9
    _from_dict = from_dict


class FstoreDataset(Dataset):  # type: ignore[misc]
    """A training set as a dataset of MLflow. Its digest has the first 32 hex digits of the training set's."""

    def __init__(self, training_set: TrainingSet) -> None:
        self._training_set = training_set
        super().__init__(
            FstoreDatasetSource._resolve(training_set),
            training_set.name,
            training_set.digest[: _runs.SHORT],
        )

    def _compute_digest(self) -> str:
        return self._training_set.digest[: _runs.SHORT]

    @property
    def schema(self) -> dict[str, Any]:
        """The columns, as MLflow writes them."""
        return {"mlflow_colspec": _runs.columns(self._training_set)}

    @property
    def profile(self) -> dict[str, Any]:
        """Rows, digests and the statistics of every column, from the lock."""
        return _runs.profile(self._training_set)

    def to_dict(self) -> dict[str, str]:
        """Returns what MLflow stores: name, digest, source, schema and profile, each as text."""
        return {
            "name": self.name,
            "digest": self.digest,
            "source": self.source.to_json(),
            "source_type": SOURCE_TYPE,
            "schema": json.dumps(self.schema),
            "profile": json.dumps(self.profile),
        }
