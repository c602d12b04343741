"""Training sets, pins and predictions with a real MLflow server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import mlflow.data
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sets
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import fstore
from tests.conftest import ROOT, serving

pytestmark = pytest.mark.usefixtures("server_in_use")
AT = pd.Timestamp("2025-12-01", tz="UTC")  # what the sample is materialized to


# How a model is named in a run.
NAME = "name" if int(mlflow.__version__.split(".")[0]) > 2 else "artifact_path"


def train(features: pd.DataFrame, label: Any) -> Any:
    """Returns a model that has learned from features."""
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    columns = make_column_transformer(
        (words, make_column_selector(dtype_exclude="number")), remainder="passthrough"
    )
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2)).fit(
        features, label
    )


def registered(ts: fstore.TrainingSet, name: str, drop: str = "") -> str:
    """Registers a model that has learned from a training set, and returns its version."""
    frame = ts.to_pandas()[ts.features]
    model = train(frame, ts.to_pandas()[ts.label])
    with mlflow.start_run():
        ts.log_to_mlflow()
        signature = infer_signature(frame.rename(columns={drop: "other"}), model.predict(frame))
        info = mlflow.sklearn.log_model(
            model,
            **{NAME: "model"},
            signature=signature,
            registered_model_name=name,
            serialization_format="cloudpickle",  # skops trusts no trees
        )
    return str(info.registered_model_version)


def run_fstore(repo: fstore.Repo, *args: str, status: int = 0) -> str:
    done = subprocess.run(
        [repo._command.binary, "--repo", str(repo.path), *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_run_has_the_training_set_as_its_input(made: fstore.TrainingSet) -> None:
    with mlflow.start_run() as run:
        assert made.log_to_mlflow() == run.info.run_id
        made.log_to_mlflow(context="evaluation")
    found = MlflowClient().get_run(run.info.run_id)
    first = next(i for i in found.inputs.dataset_inputs if i.tags[0].value == "training")
    assert first.tags[0].key == "mlflow.data.context"
    assert (first.dataset.name, first.dataset.digest) == ("churn_2025", made.digest[:32])
    assert first.dataset.source_type == "fstore_training_set"
    specs = {c["name"]: c for c in json.loads(first.dataset.schema)["mlflow_colspec"]}
    assert list(specs) == [c["name"] for c in made.lock["output"]["columns"]]
    assert specs["order_value"] == {"type": "double", "name": "order_value", "required": False}
    profile = json.loads(first.dataset.profile)
    assert (profile["rows"], profile["digest"]) == (made.rows, made.digest)
    assert profile["columns"]["order_value"]["mean"] == made.summary["order_value"]["mean"]
    assert found.data.tags["fstore.training_set"] == f"churn_2025@{made.digest[:32]}"
    assert found.data.tags["fstore.evaluation_set"] == f"churn_2025@{made.digest[:32]}"
    assert (found.data.tags["fstore.service"], found.data.tags["fstore.project"]) == ("churn@1", "shop")
    lock = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/fstore/training_set.lock.json")
    assert json.loads(lock) == dict(made.lock)


def test_a_run_starts_where_there_is_none_and_can_be_named(made: fstore.TrainingSet) -> None:
    run = made.log_to_mlflow()
    assert mlflow.active_run().info.run_id == run
    mlflow.end_run()
    assert made.log_to_mlflow(run) == run
    assert mlflow.active_run() is None
    assert len(MlflowClient().get_run(run).inputs.dataset_inputs) == 1  # the same input, once


def source_of(run: str) -> Any:
    return mlflow.data.get_source(MlflowClient().get_run(run).inputs.dataset_inputs[0])


def test_the_source_of_an_input_loads_the_same_training_set_or_fails(
    shop: fstore.Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ts = sets.churn(shop, "alone")  # MLflow knows no other source of this name and content
    with mlflow.start_run() as run:
        ts.log_to_mlflow()
    source = source_of(run.info.run_id)
    monkeypatch.setenv("FSTORE_BINARY", shop._command.binary)
    assert source.load().to_arrow().equals(ts.to_arrow())
    assert source.load(shop).digest == ts.digest

    text = ts.path.read_bytes()
    ts.path.unlink()  # made again from the lock
    assert source.load().to_arrow().num_rows == ts.rows
    assert ts.path.read_bytes() == text

    ts.path.write_bytes(text[:-100] + bytes(100))
    with pytest.raises(fstore.DataLoss, match="has changed since it was made"):
        source.load()
    ts.path.write_bytes(text[:-1])
    with pytest.raises(fstore.DataLoss, match="bytes"):
        source.load()

    ts.path.write_bytes(text)
    shop.training_set(
        "alone", features="customer_orders.*", labels=shop.path / "data/labels.parquet", replace=True
    )
    with pytest.raises(fstore.CheckFailed, match="is not the one that the run used"):
        source.load()
    monkeypatch.setenv("FSTORE_REPO", str(tmp_path))
    with pytest.raises(fstore.NotFound, match="not a feature repo"):
        source.load()


def test_a_training_set_of_a_server_is_logged_loaded_and_pinned(
    shop: fstore.Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = shop.path / "data/labels.parquet"
    with serving(Path(shop._command.binary), shop.path, "--offline") as address:
        with fstore.Client(address) as client, mlflow.start_run() as run:
            ts = client.training_set("far", service="churn", labels=labels, label="reordered")
            ts.log_to_mlflow()
            frame = ts.to_pandas()
        found = MlflowClient().get_run(run.info.run_id)
        assert found.data.tags["fstore.training_set"] == f"far@{ts.digest[:32]}"
        lock = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/fstore/training_set.lock.json")
        assert json.loads(lock) == dict(ts.lock)
        source = source_of(run.info.run_id)
        assert (source.server, source.repo) == (address, "")
        monkeypatch.setenv("FSTORE_TOKEN", "fst_" + "x" * 43)  # which no server that a run names may get
        monkeypatch.setattr(fstore.Client, "_start", lambda _: pytest.fail("it connects"))
        for variable in ("", str(shop.path)):  # another repo does not stand in for a server
            monkeypatch.setenv("FSTORE_REPO", variable)
            with pytest.raises(fstore.InvalidRequest, match=re.escape(address)) as refused:
                source.load()
            assert "load(client=" in refused.value.hints[0]
        monkeypatch.undo()
        monkeypatch.setenv("FSTORE_BINARY", shop._command.binary)
        with fstore.Client(address) as client:
            pd.testing.assert_frame_equal(source.load(client=client).to_pandas(), frame)
            assert source.load(shop).digest == ts.digest  # the server's repo has it, too
            monkeypatch.chdir(shop.path)  # whose registry gets the pin
            pinned = fstore.mlflow.pin(f"models:/far/{registered(ts, 'far')}", ts)
            assert pinned["tags"]["fstore.training_set"] == f"far@{ts.digest[:32]}"
            client.training_set("far", service="churn", labels=pq.read_table(labels).slice(1), replace=True)
            with pytest.raises(fstore.CheckFailed, match="is not the one that the run used"):
                source.load(client=client)


def test_a_training_set_that_cannot_be_made_again_is_not_loaded(shop: fstore.Repo) -> None:
    ts = sets.churn(shop)
    with mlflow.start_run() as run:
        ts.log_to_mlflow()
    ts.path.unlink()
    for file in (shop.path / "training_sets/labels").iterdir():
        file.unlink()
    with pytest.raises(fstore.Error, match="labels"):
        source_of(run.info.run_id).load(shop)


@pytest.mark.parametrize(
    "order", ["import mlflow.data, fstore.mlflow", "import fstore.mlflow, mlflow.data", "import mlflow.data"]
)
def test_mlflow_finds_the_source_in_any_order_of_imports(order: str) -> None:
    check = "assert 'FstoreDatasetSource' in [s.__name__ for s in mlflow.data.dataset_source_registry._dataset_source_registry.sources]"
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:mlflow", "-c", f"{order}\n{check}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Failure" in done.stderr) == (0, False), done.stderr


def test_the_package_alone_imports_no_mlflow() -> None:
    subprocess.run(
        [sys.executable, "-c", "import fstore, sys; assert 'mlflow' not in sys.modules"], check=True
    )


def test_the_command_pins_and_tags_a_version_of_the_server(shop: fstore.Repo) -> None:
    ts = sets.churn(shop)
    version = registered(ts, "Fraud-EU")
    client = MlflowClient()
    uri = f"models:/Fraud-EU/{version}"
    said = run_fstore(shop, "model", "pin", uri, "--training-set", "churn_2025")
    assert f"Model Fraud-EU@{version} is pinned to" in said
    tags = client.get_model_version("Fraud-EU", version).tags
    assert tags["fstore.training_set"] == f"churn_2025@{ts.digest[:32]}"
    assert (tags["fstore.service"], tags["fstore.project"], len(tags["fstore.pin"])) == (
        "churn@1",
        "shop",
        32,
    )
    assert max(map(len, tags.values())) < 500

    client.set_registered_model_alias("Fraud-EU", "champion", version)
    assert "has been pinned to this since" in run_fstore(
        shop, "model", "pin", "models:/Fraud-EU@champion", "--training-set", "churn_2025"
    )
    assert "champion" in run_fstore(shop, "model", "sync", "--check", status=4)
    assert "moved from -" in run_fstore(shop, "model", "sync")
    run_fstore(shop, "model", "sync", "--check")
    assert f"Fraud-EU@{version}" in run_fstore(shop, "model", "show", "Fraud-EU@champion")

    client.set_model_version_tag("Fraud-EU", version, "fstore.pin", "0123")
    client.delete_model_version_tag("Fraud-EU", version, "fstore.service")
    assert "fstore.pin is 0123 in MLflow" in run_fstore(shop, "model", "sync")
    assert client.get_model_version("Fraud-EU", version).tags == tags

    second = registered(ts, "Fraud-EU")
    client.set_registered_model_alias("Fraud-EU", "champion", second)
    said = run_fstore(shop, "model", "sync")
    assert f"stays: version {second} is not pinned" in said
    client.set_model_version_tag("Fraud-EU", second, "fstore.pin", "0123")
    assert "its tags were deleted" in run_fstore(shop, "model", "sync")
    assert client.get_model_version("Fraud-EU", second).tags == {}
    client.delete_registered_model_alias("Fraud-EU", "champion")
    assert "removed" in run_fstore(shop, "model", "sync", "--prune")

    for unknown in ("models:/Fraud-EU/99", "models:/Fraud-EU@nobody", "models:/nobody/1"):
        assert unknown in run_fstore(shop, "model", "pin", unknown, "--training-set", "churn_2025", status=1)
        with pytest.raises(fstore.NotFound, match=unknown):
            fstore.mlflow.pin(unknown, ts)


def test_pin_in_python_needs_no_server(
    shop: fstore.Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    ts = sets.churn(shop)
    version = registered(ts, "fraud")
    pinned = fstore.mlflow.pin(f"models:/fraud/{version}", ts)
    assert pinned["new_pin"]
    tags = mlflow.MlflowClient().get_model_version("fraud", version).tags
    assert tags == pinned["tags"] == shop._run("model", "show", f"fraud@{version}").result["tags"]
    assert not fstore.mlflow.pin(f"models:/fraud/{version}", "churn_2025", repo=shop)["new_pin"]
    for wrong in ("fraud/1", "models:/fraud", "models:/fraud/Production", "models:/fraud@"):
        with pytest.raises(fstore.InvalidRequest, match="names no version"):
            fstore.mlflow.pin(wrong, ts)


def test_predictions_for_labels_are_those_of_a_look_up(shop: fstore.Repo) -> None:
    ts = sets.churn(shop)
    version = registered(ts, "batch")
    fstore.mlflow.pin(f"models:/batch/{version}", ts)
    MlflowClient().set_registered_model_alias("batch", "champion", version)
    run_fstore(shop, "model", "sync", "batch")
    shop.materialize(to="2025-12-01")

    keys = ts.to_pandas()[ts.keys].drop_duplicates().head(50)
    labels = keys.assign(event_timestamp=AT, note="kept")
    scored = fstore.score_batch("models:/batch@champion", labels, repo=shop)
    frame = scored.to_pandas()
    assert list(frame.columns) == [*labels.columns, *ts.features, "prediction"]
    assert len(frame) == len(labels)

    with shop.serve(at="2025-12-01") as client:
        online = client.online(model="batch@champion", entities=keys).to_pandas()[ts.features]
    pd.testing.assert_frame_equal(frame[ts.features], online)
    model = mlflow.pyfunc.load_model("models:/batch@champion")
    np.testing.assert_array_equal(frame["prediction"], model.predict(online))
    assert frame["prediction"].nunique() > 1

    # The features of each row's instant: those that the model learned from, at the labels' instants.
    again = fstore.score_batch(f"models:/batch/{version}", shop.path / "data/labels.parquet", repo=shop)
    pd.testing.assert_frame_equal(again.to_pandas()[ts.features], ts.to_pandas()[ts.features])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shop, "features", missing)
        with pytest.raises(fstore.NotFound) as other:
            fstore.score_batch("models:/batch@champion", labels, repo=shop)
    assert other.value.message == "there is no source x"  # and not that it is not pinned
    with pytest.raises(fstore.InvalidRequest, match="labels have a column prediction"):
        fstore.score_batch("models:/batch@champion", labels.assign(prediction=1), repo=shop)


def missing(*_: Any, **__: Any) -> None:
    raise fstore.NotFound("there is no source x")


def test_predictions_of_a_server_are_those_of_a_look_up(
    shop: fstore.Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    ts = sets.churn(shop)
    version = registered(ts, "remote")
    labels = ts.to_pandas()[ts.keys].drop_duplicates().head(50).assign(event_timestamp=AT)
    path = shop.path / "data/labels.parquet"
    with serving(Path(shop._command.binary), shop.path, "--offline", "--at", AT.isoformat()) as address:
        client = fstore.Client(address)
        with pytest.raises(fstore.NotFound, match="is not pinned"):
            fstore.score_batch(f"models:/remote/{version}", labels, client=client)
        fstore.mlflow.pin(f"models:/remote/{version}", ts)
        with monkeypatch.context() as patched:
            patched.setattr(client, "features", missing)
            with pytest.raises(fstore.NotFound) as other:
                fstore.score_batch(f"models:/remote/{version}", labels, client=client)
        assert other.value.message == "there is no source x"
        MlflowClient().set_registered_model_alias("remote", "champion", version)
        run_fstore(shop, "model", "sync", "remote")
        shop.materialize(to=AT.isoformat())

        scored = fstore.score_batch("models:/remote@champion", labels, client=client)
        online = client.online(model=("remote", version), entities=labels[ts.keys]).to_pandas()[ts.features]
        pd.testing.assert_frame_equal(scored.to_pandas()[ts.features], online)
        model = mlflow.pyfunc.load_model("models:/remote@champion")
        frame = scored.to_pandas()
        np.testing.assert_array_equal(frame["prediction"], model.predict(online))
        assert frame["prediction"].nunique() > 1

        # As of each row's instant, as this machine computes them.
        remote = fstore.score_batch("models:/remote@champion", path, client=client)
        local = fstore.score_batch("models:/remote@champion", path, repo=shop)
        assert remote.to_arrow().equals(local.to_arrow())
        assert remote.features == local.features == ts.features
        assert [t["name"] for t in client.training_sets()] == [ts.name]

        renamed = registered(ts, "remote", drop=ts.features[0])
        fstore.mlflow.pin(f"models:/remote/{renamed}", ts)
        with pytest.raises(fstore.InvalidRequest, match=r"the signature of .* needs other"):
            fstore.score_batch(f"models:/remote/{renamed}", labels, client=client)
        with pytest.raises(fstore.InvalidRequest, match="repo and client"):
            fstore.score_batch("models:/remote@champion", labels, client=client, repo=shop)


def test_the_page_is_true(
    sample: Path, tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch, tracking: str
) -> None:
    """Runs all that docs/mlflow.md shows, in its order."""
    page = (ROOT / "docs/mlflow.md").read_text("utf-8")
    first, *others = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (commands,) = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert 'name="model"' in first
    assert [len(b.splitlines()) > 1 for b in others] == [True, True]
    folder = shutil.copytree(sample, tmp_path / "feature_repo")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    client = MlflowClient()
    client.create_registered_model("fraud")
    for _ in range(6):
        client.create_model_version("fraud", "s3://elsewhere/model")
    df = pd.read_parquet(folder / "data/labels.parquet")
    names: dict[str, Any] = {"train": train, "df": df, "labels": df.drop(columns="reordered")}
    exec(first.replace('name="model"', f'{NAME}="model"', 1), names)
    names["run_id"] = mlflow.last_active_run().info.run_id
    with serving(binary, folder, "--offline") as address:
        names["client"] = fstore.Client(address)
        for block in others:
            exec(block, names)
    assert names["ts"].to_arrow().num_rows == len(df)

    said = []
    for line in commands.splitlines():
        command = line.partition("#")[0].split()
        if command[0] == "export":
            assert command[1].startswith("MLFLOW_TRACKING_URI=")
            continue
        assert command[0] == "fstore"
        said.append(run_fstore(names["repo"], *[w for w in command[1:] if w != "--watch"]))
    pinned, synced, got = said
    assert "Model fraud@7 has been pinned to this since" in pinned
    assert "champion" in synced
    assert "order_value" in got


def test_the_pin_decides_which_features_a_model_gets(shop: fstore.Repo) -> None:
    ts = sets.churn(shop)
    version = registered(ts, "strict")
    with pytest.raises(fstore.NotFound, match="is not pinned"):
        fstore.score_batch(f"models:/strict/{version}", shop.path / "data/labels.parquet", repo=shop)
    # A tag is not a pin, whatever it says.
    MlflowClient().set_model_version_tag(
        "strict", version, "fstore.training_set", f"churn_2025@{ts.digest[:32]}"
    )
    with pytest.raises(fstore.NotFound, match="is not pinned"):
        fstore.score_batch(f"models:/strict/{version}", shop.path / "data/labels.parquet", repo=shop)
    renamed = registered(ts, "strict", drop=ts.features[0])
    fstore.mlflow.pin(f"models:/strict/{renamed}", ts)
    with pytest.raises(fstore.InvalidRequest, match=r"the signature of .* needs other"):
        fstore.score_batch(f"models:/strict/{renamed}", shop.path / "data/labels.parquet", repo=shop)
