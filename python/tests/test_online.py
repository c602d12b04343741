"""Look-ups from a real server."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fstore
from tests.conftest import serving

KNOWN, UNKNOWN = 12003, 99999
THEN = datetime(2025, 12, 1, 9, tzinfo=timezone.utc)  # after what the sample is materialized to


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[fstore.Client]:
    with fstore.Client(server) as client:
        yield client


@pytest.fixture(scope="module")
def then(binary: Path, sample: Path) -> Iterator[fstore.Client]:
    """A client of a server whose clock stands at THEN."""
    with serving(binary, sample, "--at", THEN.isoformat()) as address, fstore.Client(address) as client:
        yield client


def test_an_answer_has_values_statuses_and_versions(client: fstore.Client) -> None:
    answer = client.online(
        service="churn", entities={"customer_id": [KNOWN, UNKNOWN, None]}, event_timestamps=True
    )
    assert len(answer) == answer.rows == 3
    assert answer["order_value"] == [77.58, None, None]
    assert answer["order_lines"] == [3, 0, 0]
    assert answer["country"] == ["Norway", None, None]
    assert answer.to_dict()["customer_id"] == [KNOWN, UNKNOWN, None]
    assert "customer_id" not in answer.to_dict(keys=False)
    assert answer.statuses["order_value"] == ["PRESENT", "NOT_FOUND", "NOT_FOUND"]
    assert answer.statuses["last_large_order"][0] == "OUTSIDE_MAX_AGE"
    assert answer.event_timestamps["order_value"] == [
        datetime(2025, 9, 14, 12, 5, tzinfo=timezone.utc),
        None,
        None,
    ]
    assert answer.published["customer_orders@1"] == datetime(2025, 12, 1, tzinfo=timezone.utc)
    assert str(answer.service) == "churn@1"
    assert answer.model is None
    assert answer.clock is None
    assert answer.builds is None


def test_frames_have_the_keys_first_and_exact_types(client: fstore.Client) -> None:
    answer = client.online(service="churn", entities={"customer_id": [KNOWN, UNKNOWN, None]})
    table = answer.to_arrow()
    assert table.column_names == ["customer_id", *answer.features]
    assert table.schema.field("order_lines").type == pa.int64()
    assert table.column("order_value").to_pylist() == [77.58, None, None]
    assert answer.to_arrow(keys=False).column_names == answer.features
    frame = answer.to_pandas()
    assert str(frame["customer_id"].dtype) == "Int64"
    assert frame["customer_id"].tolist()[:2] == [KNOWN, UNKNOWN]
    assert str(frame["order_lines"].dtype) == "int64"
    assert frame["order_value"].isna().tolist() == [False, True, True]
    assert str(answer.to_pandas("pyarrow")["order_value"].dtype) == "double[pyarrow]"
    assert str(answer.to_pandas("numpy_nullable")["order_value"].dtype) == "Float64"
    assert answer.to_polars().equals(pl.DataFrame(answer))
    assert pa.table(answer).equals(table)


@pytest.mark.parametrize(
    "frame",
    [
        lambda d: pd.DataFrame(d),
        lambda d: pd.DataFrame(d).set_index("customer_id"),
        lambda d: pl.DataFrame({"customer_id": d["customer_id"]}),
        lambda d: pa.table({"customer_id": d["customer_id"]}),
        lambda d: pa.table({"customer_id": d["customer_id"], "x": [1, 2]}).to_reader(),
        lambda d: pa.RecordBatch.from_pydict({"customer_id": d["customer_id"]}),
    ],
)
def test_of_a_frame_only_what_the_features_need_is_sent(client: fstore.Client, frame: Any) -> None:
    rows = frame({"note": [object(), 2], "customer_id": [KNOWN, UNKNOWN]})
    answer = client.online(service="churn", entities=rows)
    assert answer.keys == ["customer_id"]
    assert answer["order_lines"] == [3, 0]


def test_features_by_reference_and_request_columns(client: fstore.Client) -> None:
    answer = client.online(features=["customer_orders.order_value=v"], entities={"customer_id": KNOWN})
    assert answer.to_dict(keys=False) == {"v": [77.58]}
    paid = client.online(service="payment", entities={"customer_id": [KNOWN], "cart_value": [250]})
    assert paid.on_demand
    assert paid.builds
    described = client.describe(service="payment")
    assert described.keys == {"customer_id": "int64"}
    assert described.columns["cart_value"] == "float64"
    assert [f.name for f in described.features] == paid.features


def test_a_record_is_found_by_both_of_its_keys(then: fstore.Client, sample: Path) -> None:
    lines = pq.read_table(sample / "data/lines").to_pandas()
    lines = lines[lines["customer_id"].notna() & (lines["loaded_at"] < pd.Timestamp("2025-12-01", tz="UTC"))]
    latest = lines.sort_values("invoice_date").iloc[-1]
    customer, product = int(latest["customer_id"]), latest["stock_code"]
    theirs = lines.loc[lines["customer_id"] == customer, "stock_code"]
    other = lines.loc[~lines["stock_code"].isin(theirs), "stock_code"].iloc[-1]
    answer = then.online(
        features="customer_product.*",
        entities={
            "customer_id": [customer, customer, UNKNOWN, customer, None],
            "stock_code": [product, other, product, "", product],
        },
        event_timestamps=True,
    )
    assert answer.keys == ["customer_id", "stock_code"]
    assert answer.statuses["last_price"] == ["PRESENT", *["NOT_FOUND"] * 4]
    bought = latest["invoice_date"].tz_convert("UTC").to_pydatetime()
    assert answer.event_timestamps["last_price"] == [bought, *[None] * 4]
    assert answer["last_price"] == [latest["unit_price"], *[None] * 4]


def test_on_demand_features_have_values(then: fstore.Client) -> None:
    carts = [250.0, 77.58, 50.0, None]
    answer = then.online(
        features="checkout.*", entities={"customer_id": [KNOWN, KNOWN, UNKNOWN, KNOWN], "cart_value": carts}
    )
    assert answer["cart_ratio"] == [250.0 / 77.58, 1.0, 1.0, 1.0]  # 1.0 is also its default
    assert answer.statuses["cart_ratio"] == ["PRESENT", "PRESENT", "NULL_VALUE", "NULL_VALUE"]
    assert answer["hour"] == [THEN.hour] * 4
    assert answer["is_unusual"] == [True, False, False, False]
    ordered = datetime(2025, 9, 14, 12, 5, tzinfo=timezone.utc)
    days = (THEN - ordered).total_seconds() / 86400
    assert answer["days_since_order"][0] == pytest.approx(days, abs=1e-9)
    assert answer["days_since_order"][2] is None
    assert answer.to_arrow().column("cart_ratio").to_pylist() == answer["cart_ratio"]


async def test_published_says_what_a_look_up_would_be_as_of(server: str, client: fstore.Client) -> None:
    keys: dict[str, Any] = {"customer_id": [KNOWN]}
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"service": "churn"}, keys),
        ({"service": "payment"}, keys | {"cart_value": [250]}),  # with request columns
        ({"features": "shop.*"}, {}),  # without keys
    ]
    for asked, sent in cases:
        want = client.online(**asked, entities=sent).published
        assert want
        assert client.published(**asked) == want
        async with fstore.AsyncClient(server) as c:
            assert await c.published(**asked) == want
    with pytest.raises(fstore.NotFound):
        client.published(service="nope")


def test_rows_are_sent_as_their_columns(client: fstore.Client) -> None:
    rows = [{"customer_id": KNOWN, "cart_value": 250}, {"cart_value": None, "customer_id": UNKNOWN}]
    answer = client.online(service="payment", entities=rows).to_dict()
    columns = {"customer_id": [KNOWN, UNKNOWN], "cart_value": [250, None]}
    want = client.online(service="payment", entities=columns).to_dict()
    clocks = {"days_since_order"}  # differs from call to call
    assert {n: v for n, v in answer.items() if n not in clocks} == {
        n: v for n, v in want.items() if n not in clocks
    }
    assert len(client.online(service="churn", entities=[])) == 0


def test_columns_without_a_value_get_their_type_from_the_server(client: fstore.Client) -> None:
    assert client.online(service="churn", entities={"customer_id": []}).to_arrow().num_rows == 0
    assert client.online(service="churn", entities={"customer_id": [None]})["order_lines"] == [0]
    with pytest.raises(fstore.InvalidRequest, match="'x' has no value that says its type"):
        client.online(service="churn", entities={"customer_id": [1], "x": [None]})


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"service": "nope"}, fstore.NotFound, 'no feature_service "nope"'),
        ({"service": "churn"}, fstore.InvalidRequest, "customer_id is missing"),
        (
            {"service": "churn", "entities": {"customer_id": ["a"]}},
            fstore.InvalidRequest,
            "is string, not int64",
        ),
        ({"service": "churn", "model": "a@b"}, fstore.InvalidRequest, "service and model given"),
        ({}, fstore.InvalidRequest, "none of service, features and model"),
        ({"model": "fraud"}, fstore.InvalidRequest, "has no version"),
        ({"model": "fraud@champion"}, fstore.NotFound, "fraud"),
        ({"service": "churn", "entities": [1]}, fstore.InvalidRequest, "entities is a list"),
        (
            {"service": "churn", "entities": [{"customer_id": 1}, {"customer": 1}]},
            fstore.InvalidRequest,
            "row 1 of entities has 'customer', and row 0 has not",
        ),
        ({"service": "churn", "entities": {"customer_id": range(10_001)}}, fstore.TooLarge, "10,?000|10001"),
        ({"service": "churn", "timeout": 0}, fstore.InvalidRequest, "timeout is 0"),
    ],
)
def test_errors_are_classes_with_the_servers_hint(
    client: fstore.Client, arguments: dict[str, Any], kind: type[fstore.Error], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        client.online(**arguments)
    assert type(caught.value) is kind
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.hints) == (kind, str(caught.value), caught.value.hints)


def test_hints_stand_on_lines_of_their_own(client: fstore.Client) -> None:
    with pytest.raises(fstore.NotFound) as caught:
        client.online(service="nope")
    assert caught.value.hints
    assert str(caught.value) == f"{caught.value.message}\n  hint: {caught.value.hints[0]}"


async def test_the_async_client_answers_the_same(server: str, client: fstore.Client) -> None:
    keys = {"customer_id": [KNOWN, UNKNOWN]}
    async with fstore.AsyncClient(server) as c:
        answers = await asyncio.gather(*(c.online(service="churn", entities=keys) for _ in range(20)))
        described = await c.describe(service="churn")
        with pytest.raises(fstore.NotFound):
            await c.online(service="nope")
    want = client.online(service="churn", entities=keys)
    assert all(a.to_dict() == want.to_dict() for a in answers)
    assert described == client.describe(service="churn")
    with pytest.raises(fstore.InvalidRequest, match="closed"):
        await c.online(service="churn", entities=keys)


def test_an_answer_can_be_kept(client: fstore.Client) -> None:
    answer = client.online(service="churn", entities={"customer_id": [KNOWN]})
    assert pickle.loads(pickle.dumps(answer)).to_dict() == answer.to_dict()


def test_a_closed_client_says_so(server: str) -> None:
    with fstore.Client(server) as c:
        pass
    with pytest.raises(fstore.InvalidRequest, match="closed"):
        c.online(service="churn")
