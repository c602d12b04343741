"""Training sets of a server over Arrow Flight: with pyarrow's own client, and with fstore's."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.parquet as pq
import pytest

import fstore
from fstore import flight as flight_module
from tests.conftest import fstore as run
from tests.conftest import serving

CREATE = "fstore.create_training_set"


@pytest.fixture(scope="module")
def shop(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample repo, whose training sets the tests of this module make."""
    import shutil

    return shutil.copytree(sample, tmp_path_factory.mktemp("flight") / "shop")


@pytest.fixture(scope="module")
def address(binary: Path, shop: Path) -> Iterator[str]:
    with serving(binary, shop, "--offline") as address:
        yield address


@pytest.fixture(scope="module")
def labels(shop: Path) -> pa.Table:
    return pq.read_table(shop / "data/labels.parquet")


@pytest.fixture
def client(address: str) -> Iterator[fstore.Client]:
    with fstore.Client(address, timeout=30) as client:
        yield client


def connect(address: str) -> fl.FlightClient:
    return fl.connect(f"grpc://{address}")


def upload(flight: fl.FlightClient, labels: pa.Table, rows: int = 1000) -> dict[str, Any]:
    writer, reader = flight.do_put(fl.FlightDescriptor.for_path("labels"), labels.schema)
    with writer:
        writer.write_table(labels, max_chunksize=rows)
        writer.done_writing()
        answer: dict[str, Any] = json.loads(reader.read().to_pybytes())
    return answer


def create(flight: fl.FlightClient, **body: Any) -> list[dict[str, Any]]:
    results = flight.do_action(fl.Action(CREATE, json.dumps(body).encode()))
    return [json.loads(r.body.to_pybytes()) for r in results]


def test_pyarrow_sends_labels_makes_a_training_set_and_reads_it(
    address: str, labels: pa.Table, shop: Path, binary: Path
) -> None:
    with connect(address) as flight:
        sent = upload(flight, labels)
        assert sent["rows"] == labels.num_rows
        assert upload(flight, labels, rows=7) == sent, "the digest does not depend on the batches"
        made = create(flight, name="by_pyarrow", service="churn", labels=sent["digest"])[-1]
        assert made["rows"] == labels.num_rows
        assert "existing" not in made
        again = create(flight, name="by_pyarrow", service="churn", labels=sent["digest"])[-1]
        assert again["existing"] is True

        info = flight.get_flight_info(fl.FlightDescriptor.for_path("training_sets", "by_pyarrow"))
        rows = flight.do_get(info.endpoints[0].ticket).read_all()
        assert info.total_records == rows.num_rows == labels.num_rows
        assert info.schema == rows.schema
        meta = json.loads(info.app_metadata)
        assert meta["lock"]["name"] == "by_pyarrow"
        assert meta["digest"] == meta["lock"]["output"]["content"]
        local = fstore.Repo(shop, binary=binary).training_set("by_pyarrow")
        assert rows.equals(local.to_arrow())

        as_bytes = flight.get_flight_info(
            fl.FlightDescriptor.for_path("training_sets", "by_pyarrow", "bytes")
        )
        pieces = flight.do_get(as_bytes.endpoints[0].ticket).read_all().column("bytes").to_pylist()
        assert b"".join(pieces) == local.path.read_bytes()
        listed = {json.loads(f.app_metadata)["name"] for f in flight.list_flights()}
        assert "by_pyarrow" in listed


def test_the_client_makes_a_training_set_and_reads_it(
    client: fstore.Client, labels: pa.Table, shop: Path, binary: Path, tmp_path: Path
) -> None:
    frame = labels.to_pandas()
    made = client.training_set(
        "by_client", service="churn", labels=frame, label="reordered", sample=100, sample_seed=3
    )
    assert not made.existing
    assert made.counts
    assert len(made) == 100
    assert made.label == "reordered"
    local = fstore.Repo(shop, binary=binary).training_set("by_client")
    assert made.to_arrow().equals(local.to_arrow())
    assert pa.table(made).equals(local.to_arrow())
    assert pl.DataFrame(made).equals(local.to_polars())
    pd.testing.assert_frame_equal(made.to_pandas(), local.to_pandas())
    assert (made.features, made.keys, made.digest) == (local.features, local.keys, local.digest)
    assert made.summary.statistics == local.summary.statistics
    assert "by_client" in repr(made)

    again = client.training_set(
        "by_client",
        service="churn",
        labels=pl.DataFrame(labels),
        label="reordered",
        sample=100,
        sample_seed=3,
    )
    assert again.existing, "the same labels from another library are the same"
    assert {t["name"] for t in client.training_sets()} >= {"by_client"}
    opened = client.training_set("by_client")
    assert opened.digest == made.digest
    saved = opened.save(tmp_path / "by_client.parquet")
    assert saved.read_bytes() == local.path.read_bytes()
    run(binary, "training-set", "verify", "--no-rebuild", str(tmp_path / "by_client.lock.json"), repo=shop)
    with pytest.raises(fstore.InvalidRequest, match="not verified here"):
        opened.verify()


def test_a_training_set_of_a_server_beside_one_of_a_repo(
    client: fstore.Client, labels: pa.Table, shop: Path, binary: Path, tmp_path: Path
) -> None:
    made = client.training_set("beside", service="churn", labels=labels)
    local = fstore.Repo(shop, binary=binary).training_set("beside")
    other = fstore.Repo(shop, binary=binary).training_set(
        "beside_too", service="churn", labels=labels.slice(1)
    )
    assert local.diff(made).same
    assert not other.diff(made).same
    assert made.path.read_bytes() == local.path.read_bytes()
    with pytest.raises(fstore.InvalidRequest, match="no file here") as no_lock:
        _ = made.lock_path
    assert "save()" in no_lock.value.hints[0]
    made.path.write_bytes(b"x")
    with pytest.raises(fstore.DataLoss, match="its lock says") as changed:
        made.to_arrow()
    assert "open the training set again" in changed.value.hints[0]


def test_a_pin_is_not_of_another_training_set_with_the_name(
    client: fstore.Client, labels: pa.Table, repo: Path, binary: Path
) -> None:
    far = client.training_set("namesake", service="churn", labels=labels)
    here = fstore.Repo(repo, binary=binary)
    with pytest.raises(fstore.NotFound, match="namesake"):
        here.pin_model("m", 1, training_set=far)
    here.training_set("namesake", service="churn", labels=labels.slice(1))
    with pytest.raises(fstore.CheckFailed, match="is not the one that was given"):
        here.pin_model("m", 1, training_set=far)
    assert len(here.models) == 0


def test_names_of_a_server_are_not_joined_into_a_path(
    client: fstore.Client, labels: pa.Table, tmp_path: Path
) -> None:
    made = client.training_set("hostile", service="churn", labels=labels)
    lock = {**made.lock, "name": f"../{'../' * 9}{tmp_path}/planted"}
    made.__dict__["lock"] = lock
    assert made.to_arrow().num_rows == labels.num_rows
    assert list(tmp_path.iterdir()) == []


QUERY = "select customer_id, invoice_date as event_timestamp from lines where quantity < 0"


def test_a_sample_of_no_rows_is_refused(client: fstore.Client, labels: pa.Table) -> None:
    with pytest.raises(fstore.InvalidRequest, match="at least 1"):
        client.training_set("none_of_them", service="churn", labels=labels, sample=0)
    with pytest.raises(fstore.NotFound):
        client.training_set("none_of_them")


def test_an_answer_without_a_summary_is_damaged(
    client: fstore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight_module.Flight, "_stream", lambda *_: (m for m in list[bytes]()))
    with pytest.raises(fstore.DataLoss, match="before its summary"):
        client.features(QUERY, service="churn")
    with pytest.raises(fstore.DataLoss, match="before its summary"):
        client.training_set("unfinished", service="churn", labels=QUERY)


def test_a_preview_that_cannot_be_written_ends_its_call(
    client: fstore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, ended = flight_module.Flight._stream, []

    def watched(self: Any, *args: Any) -> Iterator[bytes]:
        try:
            yield from stream(self, *args)
        finally:
            ended.append(args[0])

    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError("no space left")

    monkeypatch.setattr(flight_module.Flight, "_stream", watched)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(OSError, match="no space left") as failed:
        client.features(QUERY, service="churn")
    assert ended == ["DoAction"], failed  # which holds the frames, and so whatever they left open


def test_a_restricted_grant_asks_for_nothing_that_is_refused(
    repo: Path, binary: Path, labels: pa.Table
) -> None:
    grant = ["--tokens", "tokens", "--grant", "offline:create@shop/service:churn"]
    token = run(binary, "token", "create", "maker", *grant, repo=repo).split()[0]
    settings = repo / "fstore.yaml"
    extra = "\nserve:\n  audit: audit.log\n  auth: {tokens: tokens}\n"
    settings.write_text(settings.read_text().replace("\nserve:\n", extra, 1))
    with serving(binary, repo, "--offline") as where, fstore.Client(where, token=token, timeout=30) as client:
        assert client.features(labels, service="churn").rows == labels.num_rows
        asked = [json.loads(line) for line in (repo / "audit.log").read_text().splitlines()]
    assert len(asked) >= 3
    assert not [a for a in asked if "PERMISSION_DENIED" in json.dumps(a)], asked


def test_features_need_neither_a_name_nor_a_record(
    client: fstore.Client, labels: pa.Table, shop: Path, binary: Path
) -> None:
    repo, before = fstore.Repo(shop, binary=binary), client.training_sets()
    for chosen in ({"service": "churn"}, {"features": ["customer_orders.*", "checkout.hour=at_hour"]}):
        sent = labels.append_column("cart_value", pa.array([1.0] * labels.num_rows))
        got = client.features(sent, **chosen)
        want = repo.features(sent, **chosen)
        assert got.to_arrow().equals(want.to_arrow())
        assert got.features == want.features
        assert got.rows == labels.num_rows
    query = "select customer_id, invoice_date as at from lines where customer_id is not null and quantity < 0"
    by_query = client.features(query, features="customer_orders.*", timestamp="at", as_of="2025-06-01")
    assert by_query.to_arrow().equals(
        repo.features(query, features="customer_orders.*", timestamp="at", as_of="2025-06-01").to_arrow()
    )
    assert list(client.training_sets()) == list(before)
    assert not list((shop / "training_sets").glob(".preview-*"))
    with pytest.raises(fstore.NotFound, match="chrun"):
        client.features(labels, service="chrun")
    with pytest.raises(fstore.InvalidRequest, match="one of a service, features and a model"):
        client.features(labels)


def test_features_of_a_model_are_those_of_its_pin(
    client: fstore.Client, labels: pa.Table, shop: Path, binary: Path
) -> None:
    repo = fstore.Repo(shop, binary=binary)
    repo.training_set(
        "of_model", features="customer_orders.order_value=value,customer_profile.country", labels=labels
    )
    repo.pin_model("fraud", 7, training_set="of_model")
    repo.alias("fraud", "champion", 7)
    for model in ("fraud@champion", "fraud/7", ("fraud", 7)):
        got = client.features(labels, model=model)
        assert got.features == ["value", "country"]
        assert got.to_arrow().equals(repo.training_set("of_model").to_arrow())
    made = client.training_set("again", model="fraud@7", labels=labels)
    assert made.digest == repo.training_set("of_model").digest
    with pytest.raises(fstore.NotFound, match="fraud"):
        client.features(labels, model="fraud@8")


def test_labels_are_a_query_a_file_or_a_stream(client: fstore.Client, labels: pa.Table, shop: Path) -> None:
    query = "select customer_id, invoice_date as at from lines where customer_id is not null and quantity < 0"
    by_query = client.training_set("by_query", features="customer_orders.*", labels=query, timestamp="at")
    assert len(by_query) > 0
    by_file = client.training_set("by_file", service="churn", labels=shop / "data/labels.parquet")
    by_stream = client.training_set("by_stream", service="churn", labels=labels.to_reader(max_chunksize=10))
    assert by_file.to_arrow().equals(by_stream.to_arrow())
    with pytest.raises(fstore.InvalidRequest, match="not a Parquet file"):
        client.training_set("by_csv", service="churn", labels=__file__)
    with pytest.raises(fstore.InvalidRequest, match="labels is missing"):
        client.training_set("no_labels", service="churn")


COLUMNS = {
    "i8": "i::tinyint",
    "i16": "i::smallint",
    "i32": "i::integer",
    "i64": "i::bigint",
    "u8": "(i % 256)::utinyint",
    "u16": "i::usmallint",
    "u32": "i::uinteger",
    "u64": "i::ubigint",
    "f32": "(i / 3)::float",
    "f64": "(i / 3)::double",
    "wide": "i::hugeint",
    "truth": "i % 3 = 0",
    "text": "repeat('é', (i % 20)::integer)",
    "same": "'a text that comes again'",
    "bytes": "('x' || i)::blob",
    "d4": "(i - 40)::decimal(4, 1)",
    "d9": "(i - 40)::decimal(9, 2)",
    "d18": "(i - 40)::decimal(18, 3)",
    "d38": "(i - 40)::decimal(38, 4)",
    "day": "date '2020-01-01' + (i - 40)::integer",
    "hour": "time '10:00:00' + to_milliseconds(i)",
    "micros": "timestamp '2020-01-01' + to_microseconds(i)",
    "nanos": "make_timestamp_ns(1_500_000_000_000_000_000 + i)",
    "id": "uuid '00000000-0000-0000-0000-000000000001'",
    "list": "range(i % 4)",
    "lists": "[range(i % 3), null, []]",
    "truths": "[i % 3 = 0, null]",
    "texts": "[i::varchar, null, '']",
    "decimals": "[(i - 40)::decimal(9, 2)]",
    "struct": "{'a': i, 'b': case when i % 2 = 0 then [i::varchar, null] end, 'c': {'d': i % 7 = 0}}",
    "structs": "[{'a': i, 'b': [i]}, null, {'a': null, 'b': null}]",
    "map": "map {'k' || i: i, 'n': null}",
    "maps": "[map {i: [i]}, null]",
}


def test_batches_have_what_the_file_has(
    address: str, shop: Path, binary: Path, labels: pa.Table, tmp_path: Path
) -> None:
    """The server turns Parquet into record batches itself; here pyarrow, which reads the same file, says what is right."""
    import duckdb

    values = ", ".join(
        f"{sql} as {name}, case when i % 5 <> 1 then {sql} end as {name}_or_null"
        for name, sql in COLUMNS.items()
    )
    file = tmp_path / "labels.parquet"
    first = labels.slice(0, 90)  # noqa: F841  DuckDB reads it
    rows = "select *, row_number() over () - 1 as i from (select customer_id, event_timestamp from first)"
    duckdb.sql(f"select customer_id, event_timestamp, {values} from ({rows})").write_parquet(str(file))
    out = shop / "training_sets/typed.parquet"
    made = ("training-set", "create", "typed", "--service", "churn", "--labels", str(file), "--out", str(out))
    run(binary, *made, repo=shop)
    with connect(address) as flight:
        info = flight.get_flight_info(fl.FlightDescriptor.for_path("training_sets", "typed"))
        got = flight.do_get(info.endpoints[0].ticket).read_all()
    got.validate(full=True)
    want = fstore.Repo(shop, binary=binary).training_set("typed").to_arrow()
    assert got.schema == want.schema
    for name in want.column_names:
        assert got[name].equals(want[name]), name


def test_labels_arrive_as_they_were_sent(address: str, labels: pa.Table, shop: Path) -> None:
    """The server turns record batches into Parquet itself; here pyarrow reads what it wrote."""
    n = 50
    some = labels.slice(0, n).select(["customer_id", "event_timestamp"])
    integers = pa.array([i if i % 5 else None for i in range(n)])
    times = [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
    stamps = [pa.timestamp(u, zone) for u in ("s", "ms", "us", "ns") for zone in (None, "UTC")]
    small = [
        pa.int8(),
        pa.uint8(),
        pa.int16(),
        pa.uint16(),
        pa.int32(),
        pa.uint32(),
        pa.uint64(),
        pa.float32(),
    ]
    for kind in (*small, *stamps, pa.string(), pa.large_string(), pa.decimal128(25, 3), pa.date32()):
        whole = integers.cast(pa.int32()) if kind == pa.date32() else integers
        some = some.append_column(str(kind), whole.cast(kind))
    for kind in times:
        some = some.append_column(
            str(kind), integers.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(kind)
        )
    some = some.append_column("date64", integers.cast(pa.int32()).cast(pa.date32()).cast(pa.date64()))
    lists = pa.array([[["é", None], None, []] if i % 3 else None for i in range(n)])
    some = some.append_column("lists", lists)
    some = some.append_column("bytes", pa.array([bytes([i, 255]) if i % 4 else None for i in range(n)]))
    with connect(address) as flight:
        digest = upload(flight, some, rows=7)["digest"]
    got = pq.read_table(shop / f"training_sets/labels/{digest}.parquet")
    assert got.column_names == some.column_names
    for name in some.column_names:
        assert got[name].to_pylist() == some[name].to_pylist(), name


def test_errors_are_those_of_the_command(client: fstore.Client, labels: pa.Table) -> None:
    client.training_set("taken", service="churn", labels=labels)
    with pytest.raises(fstore.Conflict, match="made from something else") as conflict:
        client.training_set("taken", service="churn", labels=labels.slice(0, 10))
    assert "replace=True" in str(conflict.value)
    replaced = client.training_set("taken", service="churn", labels=labels.slice(0, 10), replace=True)
    assert len(replaced) == 10
    with pytest.raises(fstore.NotFound, match="no_such_set"):
        client.training_set("no_such_set")
    with pytest.raises(fstore.Error, match="chrun"):
        client.training_set("typo", service="chrun", labels=labels)
    with pytest.raises(fstore.Error, match="event_timestamp"):
        client.training_set("untimed", service="churn", labels={"customer_id": [1]})


def test_bad_streams_leave_nothing(address: str, labels: pa.Table, shop: Path) -> None:
    folder = shop / "training_sets/labels"
    before = sorted(folder.iterdir())
    with connect(address) as flight:
        twice = pa.table([[1], [2]], names=["a", "a"])
        nested = pa.table({"a": pa.array([{"b": 1}])})
        dictionary = pa.table({"a": pa.array(["x", "y"]).dictionary_encode()})
        for table, what in ((twice, "two columns"), (nested, "struct"), (dictionary, "dictionary")):
            with pytest.raises(pa.ArrowInvalid, match=what):
                upload(flight, table)
        writer, _ = flight.do_put(fl.FlightDescriptor.for_path("..", "etc"), labels.schema)
        with pytest.raises(pa.ArrowInvalid, match="not a path"):
            writer.close()
        writer, _ = flight.do_put(
            fl.FlightDescriptor.for_path("labels"), labels.schema, options=fl.FlightCallOptions(timeout=0.5)
        )
        writer.write_table(labels.slice(0, 100))
        time.sleep(1)  # the stream breaks half-way
        with pytest.raises(fl.FlightTimedOutError):
            writer.close()
    for _ in range(200):
        if sorted(folder.iterdir()) == before:
            break
        time.sleep(0.05)
    assert sorted(folder.iterdir()) == before


def test_without_the_flag_there_is_no_flight(server: str) -> None:
    with fstore.Client(server) as client, pytest.raises(fstore.Error, match="serve --offline"):
        client.training_set("any")
    with fstore.Client(server) as client, pytest.raises(fstore.Error, match="serve --offline"):
        client.training_sets()


def test_a_killed_server_loses_nothing_that_it_acknowledged(
    repo: Path, binary: Path, labels: pa.Table
) -> None:
    """Kills the server and with it the command at many moments of a run; afterwards, each training set is whole or is not."""
    ports = [x for p in ("grpc", "http", "metrics") for x in (f"--{p}", "127.0.0.1:0")]
    acknowledged: list[str] = []
    for moment in (0.0, 0.15, 0.3, None):
        with subprocess.Popen(
            [binary, "--repo", repo, "--output", "json", "serve", "--offline", *ports],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            where = json.loads(process.stdout.readline())["grpc"]
            name = f"killed_{len(acknowledged)}_{moment}".replace(".", "_").lower()
            try:
                with connect(where) as flight:
                    digest = upload(flight, labels)["digest"]
                    results = flight.do_action(
                        fl.Action(
                            CREATE, json.dumps({"name": name, "service": "churn", "labels": digest}).encode()
                        )
                    )
                    if moment is None:
                        acknowledged.append(json.loads([r.body.to_pybytes() for r in results][-1])["name"])
                    else:
                        next(iter(results), None) if moment > 0.2 else time.sleep(moment)
            finally:
                os.kill(process.pid, signal.SIGKILL)
    with serving(binary, repo, "--offline") as where, fstore.Client(where, timeout=30) as client:
        listed = [t["name"] for t in client.training_sets()]
        assert set(acknowledged) <= set(listed)
        for name in listed:
            assert client.training_set(name).to_arrow().num_rows == labels.num_rows
        assert len(client.training_set("after", service="churn", labels=labels)) == labels.num_rows
    left = {p.name for p in (repo / "training_sets").iterdir()} - {"labels"}
    assert left == {f"{n}{end}" for n in [*listed, "after"] for end in (".parquet", ".lock.json")}
