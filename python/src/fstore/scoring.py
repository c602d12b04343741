"""Predictions for labels: the features that a model is pinned to, as of each row's instant, and the model from MLflow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fstore.errors import Error, InvalidRequest, NotFound
from fstore.repo import Repo
from fstore.results import Features

if TYPE_CHECKING:
    import pyarrow as pa

    from fstore.client import Client

PREDICTION = "prediction"


def score_batch(
    model_uri: str,
    labels: Any,
    *,
    repo: Repo | str | os.PathLike[str] | None = None,
    client: Client | None = None,
    timestamp: str | None = None,
) -> Features:
    """Returns labels with features and predictions: rows x (label columns, features, `prediction`), in the labels' order.

    model_uri: models:/NAME/VERSION or models:/NAME@ALIAS in MLflow. An alias is resolved once.
    labels: as in `Repo.training_set`: the key columns, and the instant of each row in `event_timestamp` or in the column
        that `timestamp` names.
    repo: the feature repo in whose registry the version is pinned; by default the one of the working directory.
    client: instead of a repo, a client of a server that runs with `--offline` and computes the features.

    The features are exactly those that the version is pinned to, from the pinned view versions, as known at each row's
    instant; tags in MLflow are not read. The model gets them as a DataFrame in the pinned order. A prediction of several
    columns becomes `prediction_NAME` for each, and one of several values per row a list.

    Raises `NotFound` if the version is not pinned, and `InvalidRequest` if the model's signature needs a column that is
    not among the pinned features.
    """
    import mlflow.pyfunc

    from fstore import mlflow as ours

    if repo is not None and client is not None:
        raise InvalidRequest("repo and client given, want at most one of them")
    version = ours.resolve(model_uri)
    named, uri = f"{version.name}@{version.version}", f"models:/{version.name}/{version.version}"
    model = mlflow.pyfunc.load_model(uri)
    schema = model.metadata.get_input_schema()
    source: Repo | Client = ours._repo(repo) if client is None else client
    if isinstance(source, Repo):  # before it computes; a server says what is pinned with the rows
        try:
            pinned = source._run("model", "show", named).result
        except NotFound as e:
            raise _not_pinned(model_uri, uri, e) from None
        _check(model_uri, schema, [o["name"] for o in pinned["outputs"]])
    try:
        found = source.features(labels, model=named, timestamp=timestamp)
    except NotFound as e:
        unknown = (f'there is no model "{version.name}"', f"model {version.name} has no version")
        if not e.message.startswith(unknown):  # something else is missing, such as a source
            raise
        raise _not_pinned(model_uri, uri, e) from None
    _check(model_uri, schema, found.features)
    table = found.to_arrow()
    predicted = _columns(model.predict(inputs(table.select(found.features), schema)))
    return Features(_with(table, predicted, model_uri), found.features)


def _not_pinned(model_uri: str, uri: str, e: NotFound) -> NotFound:
    return NotFound(f"{model_uri} is not pinned: {e.message}", [f'fstore.mlflow.pin("{uri}", training_set)'])


def _with(table: pa.Table, predicted: dict[str, Any], model_uri: str) -> pa.Table:
    """Returns a table with the columns of predictions."""
    import pyarrow as pa

    for name, values in predicted.items():
        if name in table.column_names:
            raise InvalidRequest(
                f"labels have a column {name}", ["rename it: it is the name of the predictions"]
            )
        if len(values) != table.num_rows:
            raise Error(f"{model_uri} made {len(values)} predictions for {table.num_rows} rows")
        table = table.append_column(name, pa.array(values))
    return table


def inputs(features: pa.Table, schema: Any) -> Any:
    """Returns features as the DataFrame that a model gets, by the schema of its signature; None if it has none.

    Integers become floats where the signature has floats: models learn from a column with nulls as float64.
    """
    import pyarrow as pa
    import pyarrow.types as pt

    from fstore import arrowio

    floats = {"double": pa.float64(), "float": pa.float32()}
    if schema is not None and not schema.is_tensor_spec():
        for spec in schema.inputs:
            at = features.schema.get_field_index(spec.name)
            wanted = floats.get(getattr(spec.type, "name", ""))
            if at >= 0 and wanted is not None and pt.is_integer(features.schema.field(at).type):
                features = features.set_column(at, spec.name, features.column(at).cast(wanted))
    return arrowio.to_pandas(features)


def _check(model_uri: str, schema: Any, names: list[str]) -> None:
    if schema is None or schema.is_tensor_spec():
        return
    # MLflow calls a column optional if it had nulls in training, so that says nothing about what the model needs.
    missing = [n for n in schema.input_names() if n not in names]
    if missing:
        raise InvalidRequest(
            f"the signature of {model_uri} needs {', '.join(map(str, missing))}, and it is pinned to {', '.join(names)}",
            [
                "pin the version to the training set that the model learned from, and train on ts.features only"
            ],
        )


def _columns(predicted: Any) -> dict[str, Any]:
    """Returns the columns that predictions become."""
    import numpy as np
    import pandas as pd

    if isinstance(predicted, pd.DataFrame):
        if len(predicted.columns) != 1:
            return {f"{PREDICTION}_{c}": predicted[c].to_numpy() for c in predicted.columns}
        predicted = predicted.iloc[:, 0]
    values = predicted.to_numpy() if isinstance(predicted, pd.Series) else np.asarray(predicted)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return {PREDICTION: values if values.ndim == 1 else list(values)}
