"""A training set as a dataset of MLflow, and its source. MLflow loads this module as a plugin."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource

from fstore import _runs
from fstore.errors import CheckFailed, InvalidRequest

if TYPE_CHECKING:
    from fstore.client import Client
    from fstore.repo import Repo
    from fstore.training import TrainingSet

SOURCE_TYPE = "fstore_training_set"


class FstoreDatasetSource(DatasetSource):  # type: ignore[misc]
    """Where a training set is: `mlflow.data.get_source(run.inputs.dataset_inputs[0]).load()` returns it again."""

    def __init__(
        self, training_set: str, project: str, digest: str, repo: str = "", server: str = ""
    ) -> None:
        self.training_set = training_set
        """Its name."""
        self.project = project
        self.digest = digest
        """Of its rows and columns, 64 hex digits."""
        self.repo = repo
        """The folder of the feature repo, where the training set was logged; empty for one of a server."""
        self.server = server
        """The address of the server that it is of; empty for one of a repo."""

    @staticmethod
    def _get_source_type() -> str:
        return SOURCE_TYPE

    def load(
        self, repo: Repo | str | os.PathLike[str] | None = None, client: Client | None = None
    ) -> TrainingSet:
        """Returns the training set that the run used: the file is checked against the digest in its lock.

        It is that of `client`, a client of a server, or that of `repo`, a feature repo. Without either, one that was logged
        in a repo is that of the repo that $FSTORE_REPO names, or else of the folder where it was logged. A file of a repo
        that is gone is made again from the lock.

        Raises `InvalidRequest` for one of a server without `client` or `repo`: the address comes from the run, so nothing
        connects to it by itself.

        Raises `NotFound` if there is no such training set, `CheckFailed` if the name belongs to another one now, or if its
        inputs no longer give the same content, and `DataLoss` if the file has changed.
        """
        from fstore.repo import Repo

        if client is not None:
            return self._of_server(client)
        if repo is None and self.server:
            raise InvalidRequest(
                f"training set {self.training_set} is that of a server, whose address {self.server!r} comes from the run",
                [f"if you trust it, pass a client: load(client=fstore.Client({self.server!r}))"],
            )
        repo = repo or os.environ.get("FSTORE_REPO") or self.repo
        opened = repo if isinstance(repo, Repo) else Repo(repo)
        record = opened._recorded(self.training_set)
        self._compare(record["lock"]["output"]["content"])
        if not os.path.exists(record["out"]):
            opened._run("training-set", "rebuild", "--out", record["out"], "--", self.training_set)
        return opened.training_set(self.training_set).checked()

    def _of_server(self, client: Client) -> TrainingSet:
        found = client.training_set(self.training_set)
        self._compare(found.digest)
        return found.checked()

    def _compare(self, found: str) -> None:
        """Raises `CheckFailed` unless a digest is that of the training set that the run used."""
        if found != self.digest:
            raise CheckFailed(
                f"training set {self.training_set} is not the one that the run used: "
                f"its digest is {found[: _runs.SHORT]}, and that of the run is {self.digest[: _runs.SHORT]}",
                ["another training set has its name now: fstore training-set list"],
            )

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        from fstore.training import TrainingSet

        return isinstance(raw_source, TrainingSet)

    @classmethod
    def _resolve(cls, raw_source: TrainingSet) -> FstoreDatasetSource:
        from fstore.flight import RemoteTrainingSet

        project = raw_source.lock["registry"]["project"]
        if isinstance(raw_source, RemoteTrainingSet):
            return cls(raw_source.name, project, raw_source.digest, server=raw_source._location())
        return cls(raw_source.name, project, raw_source.digest, repo=os.fspath(raw_source._repo.path))

    def to_dict(self) -> dict[str, Any]:
        """Returns what `from_dict` reads."""
        place = {"server": self.server} if self.server else {"repo": self.repo}
        return {"training_set": self.training_set, "project": self.project, "digest": self.digest, **place}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> FstoreDatasetSource:
        """Returns the source that `to_dict` described."""
        known = ("training_set", "project", "digest", "repo", "server")
        return cls(**{k: source_dict[k] for k in known if k in source_dict})

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
