"""Training sets: the Parquet file, its lock, and what the lock says."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fstore import display
from fstore import labels as _labels
from fstore.errors import CheckFailed, DataLoss, NotFound
from fstore.results import Difference, Verified, ref

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from fstore.arrowio import DtypeBackend
    from fstore.repo import Repo

BATCH_ROWS = 65_536


class TrainingSet:
    """A training set on this machine: rows x (the label columns as they were given, then the features).

    It goes to any library that reads Arrow: `to_pandas()`, `to_polars()`, `to_arrow()`, or `pl.DataFrame(ts)`. Columns
    are bool, int32, int64, float32, float64, string, binary, timestamp[us, UTC] and lists of these. A null is no value;
    NaN is a value.

    When the rows are read, the size of the file must be that in the lock. `verify()` checks every byte.
    """

    def __init__(
        self, repo: Repo, path: Path, *, existing: bool = True, counts: list[dict[str, Any]] | None = None
    ) -> None:
        self._repo = repo
        self._path = path
        self.existing = existing
        """Whether it had been made before, from the same inputs."""
        self.counts = counts
        """Labels with and without a value, by view and reason, if it was made just now (docs/training-sets.md)."""

    @property
    def path(self) -> Path:
        """The Parquet file."""
        return self._path

    @property
    def lock_path(self) -> Path:
        """The lock beside the file."""
        return self.path.with_name(self.path.name.removesuffix(".parquet") + ".lock.json")

    @cached_property
    def lock(self) -> Mapping[str, Any]:
        """The lock: every input, the definitions, and statistics of each column (docs/lock.md). It is read once."""
        try:
            text = self.lock_path.read_text("utf-8")
        except FileNotFoundError:
            raise NotFound(
                f"there is no lock {self.lock_path}", ["a training set is a file with its lock beside it"]
            ) from None
        try:
            return MappingProxyType(json.loads(text))
        except ValueError as e:
            raise DataLoss(f"the lock {self.lock_path} cannot be read: {e}") from e

    @property
    def name(self) -> str:
        """Its name in the registry."""
        return str(self.lock["name"])

    @property
    def features(self) -> list[str]:
        """The columns that are features, in their order: `X = ts.to_pandas()[ts.features]`."""
        return [f["name"] for f in self.lock["features"]]

    @property
    def keys(self) -> list[str]:
        """The label columns by which features were looked up, each once."""
        return list(dict.fromkeys(k["column"] for use in self.lock["uses"] for k in use["keys"]))

    @property
    def entities(self) -> list[str]:
        """The label columns that a look-up of the same features needs, in their order: `client.online(entities=df[ts.entities])`."""
        needed = {*self.keys, *(r["column"] for r in self.lock.get("request", ()) if not r.get("absent"))}
        return [c["name"] for c in self.lock["output"]["columns"] if c["name"] in needed]

    @property
    def labels(self) -> list[str]:
        """The label columns that a model learns to predict, as `label=` named them."""
        return list(self.lock["labels"].get("targets", ()))

    @property
    def label(self) -> str | None:
        """The label column that a model learns to predict; None if there is none, or more than one (see `labels`)."""
        return self.labels[0] if len(self.labels) == 1 else None

    @property
    def timestamp(self) -> str:
        """The label column with the instant of each row."""
        return str(self.lock["labels"]["timestamp"])

    @property
    def service(self) -> str | None:
        """The service that names the features, such as "churn@2"; None for a list of features."""
        return ref(self.lock["service"]) if "service" in self.lock else None

    @property
    def digest(self) -> str:
        """The digest of rows and columns, 64 hex digits. It does not depend on how the file encodes them."""
        return str(self.lock["output"]["content"])

    @property
    def rows(self) -> int:
        """The number of rows, from the lock."""
        return int(self.lock["output"]["rows"])

    @property
    def summary(self) -> Summary:
        """The statistics of every column, from the lock."""
        return Summary(self)

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of what `to_arrow` returns."""
        import pyarrow.parquet as pq

        return self._typed(pq.read_schema(self._checked()))

    def reader(self, batch_rows: int = BATCH_ROWS) -> pa.RecordBatchReader:
        """Returns the rows as a stream of record batches of at most `batch_rows` rows; memory does not grow with the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = pq.ParquetFile(self._checked(), pre_buffer=False)
        schema = self._typed(file.schema_arrow)
        batches = (
            pa.record_batch(b.columns, names=schema.names).cast(schema) for b in file.iter_batches(batch_rows)
        )
        return pa.RecordBatchReader.from_batches(schema, batches)

    def to_arrow(self) -> pa.Table:
        """Returns a pyarrow.Table of rows x columns."""
        import pyarrow.parquet as pq

        table = pq.ParquetFile(self._checked()).read()
        return table.replace_schema_metadata(None).cast(self._typed(table.schema))

    def to_pandas(self, dtype_backend: DtypeBackend | None = None) -> pd.DataFrame:
        """Returns a DataFrame of rows x columns, with a RangeIndex.

        Integers with nulls stay exact: they are pandas' Int64. `dtype_backend` is that of pandas: "numpy_nullable" or
        "pyarrow", for all columns.
        """
        from fstore import arrowio

        return arrowio.to_pandas(self.to_arrow(), dtype_backend)

    def to_polars(self) -> pl.DataFrame:
        """Returns a polars DataFrame of rows x columns."""
        from fstore import arrowio

        return arrowio.to_polars(self.to_arrow())

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """Returns a DuckDB relation over the file, of a connection or of DuckDB's default one. Nothing is read yet."""
        import duckdb

        return (connection or duckdb.default_connection()).read_parquet(os.fspath(self._checked()))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.reader().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.rows

    def verify(self, *, rebuild: bool = True, rehash: bool = False) -> Verified:
        """Checks that the inputs and the file are unchanged and, by making it again, that it gives the same content.

        `rebuild=False` checks the files only; `rehash=True` reads every input again. Raises `CheckFailed`, whose
        `result` has the findings, if anything differs.
        """
        args = ["training-set", "verify", os.fspath(self.lock_path)]
        args += [] if rebuild else ["--no-rebuild"]
        args += ["--rehash"] if rehash else []
        try:
            return Verified(self._repo._run(*args).result)
        except CheckFailed as e:
            raise _with_findings(e) from None

    def rebuild(self, out: str | os.PathLike[str], *, overwrite: bool = False) -> TrainingSet:
        """Makes the training set again from its lock, in another file, and returns it. Its content is the same.

        Raises `CheckFailed` if the inputs no longer give the same content; then nothing is written.
        """
        args = ["training-set", "rebuild", os.fspath(self.lock_path), "--out", os.fspath(out)]
        result = self._repo._run(*args, *(["--overwrite"] if overwrite else [])).result
        return TrainingSet(self._repo, Path(result["out"]), existing=False)

    def diff(self, other: TrainingSet | str | os.PathLike[str]) -> Difference:
        """Compares this training set with another, by their locks. `other` may be its name or its lock file."""
        if not isinstance(other, TrainingSet):
            return self._diff(other)
        with other._lock_file() as that:
            return self._diff(that)

    def _diff(self, that: str | os.PathLike[str]) -> Difference:
        return Difference(
            self._repo._run("training-set", "diff", os.fspath(self.lock_path), os.fspath(that)).result
        )

    @contextmanager
    def _lock_file(self) -> Iterator[Path]:
        """Gives a file with the lock."""
        yield self.lock_path

    def checked(self) -> TrainingSet:
        """Returns the training set itself if every byte of its file is as the lock says. Raises `DataLoss` otherwise."""
        digest = hashlib.sha256()
        with self._checked().open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != self.lock["output"]["sha256"]:
            raise DataLoss(
                f"{self._path} has changed since it was made: its SHA-256 is not the one in its lock",
                [self._remedy("--overwrite")],
            )
        return self

    def log_to_mlflow(self, run_id: str | None = None, *, context: str = "training") -> str:
        """Logs this training set to an MLflow run, and returns the run's ID. Without `run_id`, to the active run.

        The run gets a dataset input (name, digest, schema and statistics), the lock as the artifact
        fstore/training_set.lock.json, and the tags fstore.training_set, fstore.project, fstore.service and so on. `context`
        is what the run uses it for; for another one, such as "evaluation", artifact and tag are named by it.
        """
        from fstore.mlflow import log_training_set

        return log_training_set(self, run_id, context)

    def log_to_wandb(self, run: Any = None, *, file: bool = False) -> Any:
        """Logs this training set to a Weights & Biases run, by default the current one, and returns the artifact.

        The artifact is a dataset with the lock and, with `file=True`, the Parquet file. The run's configuration gets the
        tags fstore.training_set and so on.
        """
        from fstore.trackers import log_to_wandb

        return log_to_wandb(self, run, file=file)

    def log_to_comet(self, experiment: Any) -> None:
        """Logs this training set to a Comet experiment: its name and digest, and the lock as an asset."""
        from fstore.trackers import log_to_comet

        log_to_comet(self, experiment)

    def _lock_text(self) -> str:
        """Returns the lock as its file has it."""
        return self.lock_path.read_bytes().decode()

    def _location(self) -> str:
        """Returns the path of its file, or the address of its server."""
        return os.fspath(self.path)

    def _checked(self) -> Path:
        """Returns the file, if it has the size that the lock says."""
        want = int(self.lock["output"]["size"])
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            raise NotFound(
                f"there is no file {self._path}",
                [self._remedy()],
            ) from None
        if size != want:
            raise DataLoss(
                f"{self._path} has {size:,} bytes, and its lock says {want:,}: it is not the file that was made",
                [self._remedy("--overwrite")],
            )
        return self._path

    def _remedy(self, *flags: str) -> str:
        """Returns how to get the file again."""
        return " ".join(
            ["fstore training-set rebuild", str(self.lock_path), "--out", str(self._path), *flags]
        )

    def _typed(self, schema: pa.Schema) -> pa.Schema:
        from fstore import arrowio

        labels = self.lock["labels"]
        given = "file" in labels and _labels.has_types(labels["file"]["path"])
        return arrowio.in_utc(schema, self.lock["features"], given)

    def _title(self) -> str:
        by = f" by service {self.service}" if self.service else ""
        return f"Training set {self.name}: {display.count(self.rows, 'row')}, {display.count(len(self.features), 'feature')}{by}"

    def _place(self) -> str:
        return _short(self.path)

    def _screen(self) -> tuple[str, tuple[str, ...], list[list[object]]]:
        made = f"{self._place()}, made {self.lock['created'][:19]}Z, digest {self.digest[:12]}"
        return f"{self._title()}\n{made}", Summary.columns, self.summary._rows()

    def __repr__(self) -> str:
        return display.text(*self._screen())

    def _repr_html_(self) -> str:
        return display.html(*self._screen())


class Summary:
    """The columns of a training set with their statistics: a sequence of dicts, and a table to look at."""

    columns = ("column", "nulls", "distinct", "min", "mean", "max", "what")

    def __init__(self, of: TrainingSet) -> None:
        self._of = of

    @cached_property
    def statistics(self) -> dict[str, dict[str, Any]]:
        """By column: count, nulls, distinct, min, mean, max, stddev and a histogram, as far as the type has them."""
        return {c["name"]: c["statistics"] for c in self._of.lock["output"]["columns"]}

    def __getitem__(self, column: str) -> dict[str, Any]:
        return self.statistics[column]

    def _rows(self) -> list[list[object]]:
        of = self._of
        source = {f["name"]: f"{ref(f['view'])}.{f['feature']}" for f in of.lock["features"]}
        rows: list[list[object]] = []
        for c in of.lock["output"]["columns"]:
            name, s = c["name"], c["statistics"]
            what = source.get(name) or ("label" if name in of.labels else "key" if name in of.keys else "")
            what = what or ("instant" if name == of.timestamp else "")
            rows.append([name, *(s.get(k, "") for k in ("nulls", "distinct", "min", "mean", "max")), what])
        return rows

    def __repr__(self) -> str:
        return display.text(self._of._title(), self.columns, self._rows())

    def _repr_html_(self) -> str:
        return display.html(self._of._title(), self.columns, self._rows())


def _short(path: Path) -> str:
    """Returns a path relative to the working directory, if it is below that."""
    here = Path.cwd()
    return os.fspath(path.relative_to(here) if path.is_relative_to(here) else path)


def _with_findings(e: CheckFailed) -> CheckFailed:
    """Puts the findings of verify into the error."""
    if isinstance(e.result, Mapping):
        found = Verified(e.result)
        failure = CheckFailed(repr(found), e.hints)
        failure.result = found
        return failure
    return e
