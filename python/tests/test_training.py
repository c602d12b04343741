"""Training sets: labels of every kind, the rows in every library, and the same again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import fstore
from fstore import labels as labels_module


@pytest.fixture
def shop(repo: Path, binary: Path) -> fstore.Repo:
    return fstore.Repo(repo, binary=binary)


@pytest.fixture(scope="session")
def labels(sample: Path) -> pa.Table:
    table = pq.read_table(sample / "data/labels.parquet")
    return pa.table({name: table.column(name) for name in table.column_names})  # its columns may have nulls


@pytest.fixture(scope="session")
def made(
    sample: Path, binary: Path, labels: pa.Table, tmp_path_factory: pytest.TempPathFactory
) -> fstore.TrainingSet:
    """A training set that tests only read."""
    repo = fstore.Repo(shutil.copytree(sample, tmp_path_factory.mktemp("made") / "shop"), binary=binary)
    return repo.training_set("shared", service="churn", labels=labels, label="reordered")


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": lambda t: t.to_pandas(),
    "pandas_pyarrow": lambda t: t.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "polars_lazy": lambda t: pl.from_arrow(t).lazy(),
    "arrow": lambda t: t,
    "reader": lambda t: t.to_reader(max_chunksize=7),
    "dataset": ds.dataset,
    "duckdb": lambda t: duckdb.connect().from_arrow(t),
    "dict": lambda t: {n: t.column(n) for n in t.column_names},
}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_gives_the_same_file_of_labels(
    kind: str, labels: pa.Table, tmp_path: Path
) -> None:
    if kind == "duckdb":  # in UTC, as the other frames are
        connection = duckdb.connect()
        connection.execute("set timezone = 'UTC'")
        frame = connection.from_arrow(labels)
    else:
        frame = FRAMES[kind](labels)
    path = labels_module.write(frame, tmp_path)
    assert path == labels_module.write(labels, tmp_path)
    assert pq.read_table(path).equals(labels)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]


def test_the_same_labels_in_other_batches_give_the_same_bytes(tmp_path: Path) -> None:
    table = pa.table({"k": pa.array(range(300_000), pa.int64()), "s": [str(i % 7) for i in range(300_000)]})
    one = labels_module.write(table, tmp_path / "one")
    two = labels_module.write(table.to_reader(max_chunksize=1000), tmp_path / "two")
    three = labels_module.write(table.slice(0, 0).to_reader(), tmp_path / "three")
    assert one.name == two.name != three.name
    assert pq.ParquetFile(one).num_row_groups == 3
    assert pq.read_table(three).num_rows == 0


def test_the_same_again_is_returned_and_nothing_is_computed(shop: fstore.Repo, labels: pa.Table) -> None:
    def cell(frame: Any) -> fstore.TrainingSet:
        return shop.training_set("churn_2025", service="churn", labels=frame, label="reordered")

    first = cell(labels.to_pandas())
    assert not first.existing
    assert first.counts
    before = first.path.stat()
    again = cell(labels.to_pandas())
    assert again.existing
    assert again.digest == first.digest
    assert again.path.stat().st_mtime_ns == before.st_mtime_ns
    assert again.path.stat().st_ino == before.st_ino
    assert cell(pl.from_arrow(labels)).existing
    assert shop.training_set("churn_2025").digest == first.digest
    assert shop.training_set(os.fspath(first.lock_path)).name == "churn_2025"
    assert [t["name"] for t in shop.training_sets()] == ["churn_2025"]


CHANGES: dict[str, dict[str, Any]] = {
    "feature country": {"service": None, "features": ["customer_orders.*"]},
    "labels target": {"label": None},
    "labels sample": {"sample": 10},
    "known by": {"as_of": datetime(2025, 6, 1, tzinfo=timezone.utc)},
    "snapshot": {"snapshot": True},
    "labels timestamp": {"timestamp": "also"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_option_is_a_conflict_that_says_what(
    what: str, shop: fstore.Repo, labels: pa.Table
) -> None:
    frame = labels.append_column("also", labels["event_timestamp"])
    options: dict[str, Any] = {"service": "churn", "labels": frame, "label": "reordered"}
    first = shop.training_set("churn_2025", **options)
    with pytest.raises(fstore.Conflict, match=what) as conflict:
        shop.training_set("churn_2025", **options | CHANGES[what])
    assert any("replace=True" in h for h in conflict.value.hints)
    assert shop.training_set("churn_2025").digest == first.digest
    assert not shop.training_set("churn_2025", **options | CHANGES[what], replace=True).existing


def test_changed_labels_definitions_and_data_are_conflicts(shop: fstore.Repo, labels: pa.Table) -> None:
    def cell(frame: Any) -> fstore.TrainingSet:
        return shop.training_set("churn_2025", service="churn", labels=frame)

    cell(labels)
    with pytest.raises(fstore.Conflict, match="labels: "):
        cell(labels.slice(1))
    lines = shop.path / "data/lines"
    (lines / "2026-01.parquet").write_bytes((lines / "2025-11.parquet").read_bytes())
    with pytest.raises(fstore.Conflict, match=r"source lines: .*has appeared"):
        cell(labels)
    (lines / "2026-01.parquet").unlink()
    assert cell(labels).existing
    path = shop.path / "customer.yaml"
    path.write_text(path.read_text().replace("ttl: 180d", "ttl: 90d"))
    assert cell(labels).existing  # not applied yet
    shop.apply()
    with pytest.raises(fstore.Conflict, match=r"definition customer_large_orders: @1 → @2 \(ttl\)"):
        cell(labels)


def test_the_rows_in_every_library(made: fstore.TrainingSet, labels: pa.Table) -> None:
    table = made.to_arrow()
    assert table.schema == made.schema
    assert table.num_rows == len(made) == made.rows == labels.num_rows
    assert table.select(labels.column_names).equals(labels)
    assert pl.DataFrame(made).equals(made.to_polars())
    assert made.reader(100).read_all().equals(table)
    assert all(b.num_rows <= 100 for b in made.reader(100))
    assert pa.table(made).equals(table)
    assert made.to_duckdb().aggregate("count(*)").fetchall() == [(labels.num_rows,)]
    frame = made.to_pandas()
    assert list(frame.columns) == table.column_names
    assert frame["order_value"].isna().sum() == table["order_value"].null_count > 0
    assert str(made.to_pandas(dtype_backend="pyarrow")["order_value"].dtype) == "double[pyarrow]"
    assert list(frame[made.features].columns) == made.features


def test_what_a_training_set_says_of_itself(made: fstore.TrainingSet) -> None:
    assert made.name == "shared"
    assert made.keys == ["customer_id"]
    assert made.label == "reordered"
    assert made.labels == ["reordered"]
    assert made.entities == ["customer_id"]
    assert made.timestamp == "event_timestamp"
    assert made.service == "churn@1"
    assert len(made.features) == 9
    assert len(made.digest) == 64
    assert made.lock["name"] == "shared"
    assert made.lock is made.lock
    assert made.summary["order_value"]["nulls"] == 241
    for text in (repr(made), repr(made.summary), made._repr_html_(), made.summary._repr_html_()):
        assert "order_value" in text
        assert len(text.splitlines()) < 30
    with pytest.raises(TypeError):
        made.lock["name"] = "x"  # type: ignore[index]


def test_verify_rebuild_and_diff(shop: fstore.Repo, labels: pa.Table, tmp_path: Path) -> None:
    ts = shop.training_set("one", service="churn", labels=labels)
    found = ts.verify()
    assert found.ok
    assert "matches its lock" in repr(found)
    again = ts.rebuild(tmp_path / "again.parquet")
    assert again.digest == ts.digest
    assert again.path.read_bytes() == ts.path.read_bytes()
    assert ts.diff(again).same
    two = shop.training_set("two", service="churn", labels=labels.slice(3))
    assert not ts.diff(two).same
    assert "labels" in repr(ts.diff("two"))

    damaged = bytearray(ts.path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    ts.path.write_bytes(bytes(damaged))
    with pytest.raises(fstore.CheckFailed, match="does not match") as failure:
        ts.verify()
    assert failure.value.result["file"]["state"] == "changed"
    with pytest.raises(fstore.Conflict, match="has changed"):
        shop.training_set("one", service="churn", labels=labels)
    ts.path.write_bytes(bytes(damaged[:-9]))
    with pytest.raises(fstore.DataLoss, match="its lock says"):
        ts.to_arrow()
    ts.path.unlink()
    with pytest.raises(fstore.NotFound) as gone:
        ts.to_pandas()
    assert "rebuild" in gone.value.hints[0]


def test_another_ending_is_the_same_kind_of_file(shop: fstore.Repo, labels: pa.Table, tmp_path: Path) -> None:
    query = "select customer_id, invoice_date as event_timestamp from lines where quantity < 0"
    for name in ("q.sql", "Q.SQL"):
        (tmp_path / name).write_text(query)
        for given in (tmp_path / name, str(tmp_path / name)):
            assert labels_module.query(given) == query
            assert shop.features(given, features="customer_orders.*").rows > 0
    upper = Path(shutil.copy(shop.path / "data/labels.parquet", tmp_path / "LABELS.PARQUET"))
    assert labels_module.has_types(upper)
    assert labels_module.batches(upper)[0] == labels_module.batches(labels)[0]


def test_a_pin_is_of_the_training_set_that_was_given(
    shop: fstore.Repo, made: fstore.TrainingSet, labels: pa.Table
) -> None:
    """Not of another one with its name in this repo."""
    ts = shop.training_set("shared", service="churn", labels=labels.slice(1))
    assert made.name == ts.name
    with pytest.raises(fstore.CheckFailed, match="is not the one that was given"):
        shop.pin_model("m", 1, training_set=made)
    assert len(shop.models) == 0
    shop.pin_model("m", 1, training_set=ts)
    with pytest.raises(fstore.Error, match="--sample"):
        shop.training_set("--sample=1")
    assert len(shop.models) == 1


def test_a_quick_look_has_the_values_of_a_training_set(
    shop: fstore.Repo, made: fstore.TrainingSet, labels: pa.Table
) -> None:
    look = shop.features(labels, service="churn")
    assert look.to_arrow().equals(made.to_arrow())
    assert look.to_pandas().equals(made.to_pandas())
    assert pl.DataFrame(look).equals(made.to_polars())
    assert "order_value" in repr(look)
    assert "<table>" in look._repr_html_()
    some = shop.features(labels.to_pandas(), features=["customer_orders.order_value"])
    assert some.to_arrow().column_names == [*labels.column_names, "order_value"]
    assert shop.training_sets() == []
    assert not (shop.path / "training_sets").exists()


def test_labels_from_a_path_and_from_a_query(
    shop: fstore.Repo, labels: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.path)
    by_path = shop.training_set("by_path", service="churn", labels="data/labels.parquet")
    assert by_path.rows == labels.num_rows
    query = "select customer_id, invoice_date as event_timestamp from lines where customer_id is not null"
    by_query = shop.training_set("by_query", service="churn", labels=query)
    assert by_query.rows > 0
    assert shop.training_set("by_query", service="churn", labels=query).existing
    Path("labels.sql").write_text(query)
    assert shop.training_set("by_query", service="churn", labels=Path("labels.sql")).existing
    Path("select x").write_bytes(Path("data/labels.parquet").read_bytes())
    with pytest.raises(fstore.InvalidRequest, match="is a file, and reads like a query"):
        shop.features("select x", service="churn")
    with pytest.raises(fstore.InvalidRequest, match="no such file"):
        shop.features("nothing.parquet", service="churn")


def test_instants_of_pandas(shop: fstore.Repo) -> None:
    keys = [12003, 12013]
    naive = pd.DataFrame(
        {"customer_id": keys, "event_timestamp": pd.to_datetime(["2025-06-01 12:00", "2025-11-30 00:00"])}
    )
    utc = naive.assign(event_timestamp=naive["event_timestamp"].dt.tz_localize("UTC"))
    berlin = utc.assign(event_timestamp=utc["event_timestamp"].dt.tz_convert("Europe/Berlin"))
    nanos = naive.assign(event_timestamp=naive["event_timestamp"].astype("datetime64[ns]"))
    values = [
        shop.features(f, features=["customer_orders.*"]).to_arrow().select(["order_value", "order_lines"])
        for f in (naive, utc, berlin, nanos)
    ]
    assert all(v.equals(values[0]) for v in values)
    assert values[0]["order_value"].null_count < 2


LABEL_FILES: dict[str, Callable[[pa.Table, Path], Any]] = {
    "query": lambda t, folder: (
        "select customer_id, max(invoice_date) as event_timestamp, min(invoice_date) as first_seen from lines "
        "where customer_id is not null group by customer_id"
    ),
    "csv": lambda t, folder: csv(t, folder / "labels.csv"),
}


def csv(table: pa.Table, path: Path) -> Path:
    frame = table.to_pandas().assign(first_seen=pd.Timestamp("2025-01-01T09:30"))
    frame["event_timestamp"] = frame["event_timestamp"].dt.tz_localize(None)
    frame.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    return path


@pytest.mark.parametrize("kind", LABEL_FILES)
def test_instants_of_labels_without_types_are_in_utc(
    kind: str, shop: fstore.Repo, labels: pa.Table, tmp_path: Path
) -> None:
    """A query and a CSV file give no types. Every door says the same of them."""
    given = LABEL_FILES[kind](labels, tmp_path)
    ts = shop.training_set("typed", service="churn", labels=given)
    utc = pa.timestamp("us", "UTC")
    for schema in (
        ts.schema,
        ts.to_arrow().schema,
        ts.reader().schema,
        pa.table(ts).schema,
        shop.features(given, service="churn").to_arrow().schema,
    ):
        assert [schema.field(name).type for name in ("event_timestamp", "first_seen")] == [utc, utc]
    frame = ts.to_pandas()
    assert str(frame["event_timestamp"].dt.tz) == "UTC"
    again = shop.features(frame[["customer_id", "event_timestamp"]], service="churn").to_arrow()
    assert again.select(ts.features).equals(ts.to_arrow().select(ts.features))


def test_instants_of_a_frame_stay_as_they_were_given(shop: fstore.Repo) -> None:
    naive = pd.DataFrame({"customer_id": [12003], "event_timestamp": pd.to_datetime(["2025-06-01 12:00"])})
    ts = shop.training_set("given", service="churn", labels=naive)
    assert ts.to_pandas()["event_timestamp"].dt.tz is None
    assert shop.features(naive, service="churn").to_pandas()["event_timestamp"].dt.tz is None


def test_what_is_wrong_with_labels_is_said(shop: fstore.Repo, labels: pa.Table) -> None:
    frame = labels.to_pandas()
    cases: list[tuple[Any, str]] = [
        (frame.assign(customer_id=frame["customer_id"] + 0.5), "customer_id"),
        (frame.drop(columns="customer_id"), "customer_id"),
        (frame.drop(columns="event_timestamp"), "event_timestamp"),
        (frame.assign(mixed=[1, "x"] * (len(frame) // 2)), "mixed"),
        (frame["customer_id"], "labels"),
        ([1, 2], "labels"),
        (pd.concat([frame, frame[["reordered"]]], axis=1), "reordered"),
    ]
    for bad, said in cases:
        with pytest.raises(fstore.InvalidRequest, match=said):
            shop.features(bad, service="churn")


def test_integer_keys_with_nulls(shop: fstore.Repo) -> None:
    """In pandas these are floats. Whole floats are exact keys, and a null key has no row."""
    at = pd.to_datetime(["2025-11-30"] * 3)
    floats = pd.DataFrame({"customer_id": [12003, None, 12013], "event_timestamp": at})
    assert floats["customer_id"].dtype == "float64"
    exact = floats.astype({"customer_id": "Int64"})
    got = shop.features(floats, features=["customer_orders.*"]).to_arrow()["order_value"]
    assert got.equals(shop.features(exact, features=["customer_orders.*"]).to_arrow()["order_value"])
    assert got[1].as_py() is None
    for wrong in (12013.5, 2.0**53 + 2):
        with pytest.raises(fstore.InvalidRequest, match="row 3: column customer_id"):
            shop.features(floats.assign(customer_id=[12003, None, wrong]), features=["customer_orders.*"])


ROOT = Path(__file__).parents[2]
EXAMPLE_DATA = os.environ.get("FSTORE_EXAMPLE_DATA", "")


@pytest.mark.skipif(not EXAMPLE_DATA, reason="FSTORE_EXAMPLE_DATA names no folder with the example data")
def test_a_training_set_of_real_data(tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSTORE_EXAMPLE_DATA", EXAMPLE_DATA)
    folder = tmp_path / "online_retail"
    shutil.copytree(ROOT / "examples/online_retail", folder, ignore=shutil.ignore_patterns(".fstore"))
    repo = fstore.Repo(folder, binary=binary)
    repo.apply("first")
    query = repo.training_set("by_query", service="next_order", labels=folder / "labels.sql")
    assert query.rows > 10_000
    keys = query.to_pandas().drop(columns=query.features)
    frame = repo.training_set("by_frame", service="next_order", labels=keys)
    assert frame.to_arrow().select(query.features).equals(query.to_arrow().select(query.features))
    assert repo.training_set("by_frame", service="next_order", labels=keys).existing
    assert frame.verify().ok


def test_features_of_a_model_are_those_of_its_pin_whatever_head_has(
    shop: fstore.Repo, labels: pa.Table
) -> None:
    pin = shop.pin_model("Fraud-EU", 1, service="churn")
    assert pin["tags"]["fstore.service"] == "churn@1"
    before = shop.features(labels, service="churn").to_arrow()
    definition = shop.path / "customer.yaml"
    definition.write_text(definition.read_text().replace("ttl: 180d", "ttl: 1d"))
    shop.apply()
    assert not shop.features(labels, service="churn").to_arrow().equals(before)
    for model in ("Fraud-EU@1", "Fraud-EU/1", ("Fraud-EU", 1)):
        assert shop.features(labels, model=model).to_arrow().equals(before)
    assert shop.training_set("again", model="Fraud-EU@1", labels=labels).to_arrow().equals(before)
    with pytest.raises(fstore.InvalidRequest, match="name one of a service, features and a model"):
        shop.features(labels, service="churn", model="Fraud-EU@1")


def test_dvc_tracks_a_training_set(shop: fstore.Repo, labels: pa.Table) -> None:
    (shop.path / ".dvc").mkdir()
    made = shop.training_set("tracked", service="churn", labels=labels, dvc=True)
    assert made.lock["output"]["md5"] in Path(f"{made.path}.dvc").read_text()
