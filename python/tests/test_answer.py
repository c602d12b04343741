"""Answers are decoded to exactly what protobuf reads, in whatever form the bytes are."""

from __future__ import annotations

import hashlib
import math
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]

import fstore
from fstore.answer import ALWAYS, Answer
from fstore.v1 import PROTO_DIGEST
from fstore.v1 import feature_store_pb2 as pb

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
REQUEST = pb.GetOnlineFeaturesRequest(service="s").SerializeToString()
LIMITS = [0, 1, -1, 2**31 - 1, -(2**31), 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]

VALUES: dict[str, Any] = {
    "bool": lambda r: r.random() < 0.5,
    "int32": lambda r: max(-(2**31), min(2**31 - 1, r.choice([*LIMITS, r.randrange(-99, 99)]))),
    "int64": lambda r: r.choice([*LIMITS, r.randrange(-(2**40), 2**40)]),
    "float32": lambda r: r.choice([0.0, -0.0, 0.5, math.nan, math.inf, -math.inf, float(r.randrange(1000))]),
    "float64": lambda r: r.choice([*FLOATS, r.random()]),
    "string": lambda r: r.choice(["", "a", "käse", "🧀" * r.randrange(3), "x" * r.randrange(20)]),
    "bytes": lambda r: r.randbytes(r.randrange(5)),
    "timestamp": lambda r: r.randrange(-(10**15), 10**15),
}
ZEROS: dict[str, Any] = {"bool": False, "string": "", "bytes": b""}


def random_feature(r: random.Random, name: str, rows: int) -> tuple[pb.Feature, list[Any]]:
    """Returns a feature, and its values as Python has them: microseconds for instants, None for null."""
    element = r.choice(list(VALUES))
    is_list = r.random() < 0.4
    feature = pb.Feature(name=name, type=f"list<{element}>" if is_list else element)
    field = getattr(feature, f"{element}_values")
    nullable = r.random() < 0.6
    want: list[Any] = []
    feature.offsets.extend([0] if is_list else [])
    for _ in range(rows):
        null = nullable and r.random() < 0.3
        if is_list:
            values = [] if null else [VALUES[element](r) for _ in range(r.randrange(4))]
            field.extend(values)
            feature.offsets.append(len(field))
            want.append(None if null else values)
        else:
            value = ZEROS.get(element, 0) if null else VALUES[element](r)
            field.append(value)
            want.append(None if null else value)
    if nullable:
        bits = sum((value is not None) << i for i, value in enumerate(want))
        feature.validity = bits.to_bytes((rows + 7) // 8, "little")
    return feature, want


def random_answer(seed: int) -> tuple[pb.GetOnlineFeaturesResponse, list[list[Any]]]:
    r = random.Random(seed)
    rows = r.choice([0, 1, 2, 7, 8, 9, 64, 200])
    made = [random_feature(r, f"f{i}", rows) for i in range(r.randrange(12))]
    return pb.GetOnlineFeaturesResponse(rows=rows, features=[f for f, _ in made]), [want for _, want in made]


def same(got: Any, want: Any) -> bool:
    """Compares values: NaN equals NaN, and -0.0 does not equal 0.0."""
    if isinstance(got, list) and isinstance(want, list):
        return len(got) == len(want) and all(map(same, got, want))
    if isinstance(got, datetime):
        return bool(got == EPOCH + timedelta(microseconds=want))
    if isinstance(got, float):
        return isinstance(want, (int, float)) and (repr(got) == repr(float(want)))
    return type(got) is type(want) and bool(got == want)


@pytest.mark.parametrize("seed", range(150))
def test_values_are_what_protobuf_reads(seed: int) -> None:
    message, want = random_answer(seed)
    for data in (message.SerializeToString(), split_runs(message, random.Random(seed))):
        answer = Answer(data, REQUEST)
        assert len(answer) == message.rows
        assert answer.features == [f.name for f in message.features]
        assert same([answer[name] for name in answer], want)
        table = Answer(data, REQUEST).to_arrow()
        table.validate(full=True)
        assert table.num_rows == message.rows
        assert same([column.to_pylist() for column in table.columns], want)
        assert [c.null_count for c in table.columns] == [sum(v is None for v in values) for values in want]


def split_runs(message: pb.GetOnlineFeaturesResponse, r: random.Random) -> bytes:
    """Returns a message whose packed values are in several runs, or not packed, as any protobuf may send them."""
    out = pb.GetOnlineFeaturesResponse(rows=message.rows).SerializeToString()
    for feature in message.features:
        data = b""
        for field, values in feature.ListFields():
            if field.type in (field.TYPE_STRING, field.TYPE_BYTES) or len(values) < 2:
                data += one(field.name, values)
                continue
            cut = r.randrange(1, len(values))
            data += one(field.name, values[:cut])
            for value in values[cut:]:
                run = one(field.name, [value])
                size = 1 + (run[1] >= 0x80)
                wire = {field.TYPE_DOUBLE: 1, field.TYPE_SFIXED64: 1, field.TYPE_FLOAT: 5}.get(field.type, 0)
                data += bytes([run[0] & ~7 | wire]) + run[1 + size :] if r.random() < 0.5 else run
        out += b"\x12" + _VarintBytes(len(data)) + data
    assert pb.GetOnlineFeaturesResponse.FromString(out).SerializeToString() == message.SerializeToString()
    return out


def one(field: str, values: Any) -> bytes:
    return pb.Feature(**{field: values}).SerializeToString()


@pytest.mark.parametrize(
    "feature",
    [
        {"type": "int64", "int64_values": [1]},
        {"type": "int64", "int64_values": [1, 2, 3]},
        {"type": "float64", "float64_values": [1]},
        {"type": "bool", "bool_values": [True]},
        {"type": "string", "string_values": ["a", "b", "c"]},
        {"type": "int64"},
        {"type": "list<int64>", "int64_values": [1], "offsets": [0, 1]},
        {"type": "list<int64>", "int64_values": [1], "offsets": [0, 1, 0]},
        {"type": "list<int64>", "int64_values": [1], "offsets": [0, 1, 2]},
        {"type": "list<int64>", "int64_values": [1], "offsets": [1, 1, 1]},
        {"type": "list<string>", "string_values": ["a"]},
        {"type": "int64", "int64_values": [1, 2], "validity": b"\1\1"},
    ],
)
def test_a_column_that_does_not_fit_its_rows_is_data_loss(feature: dict[str, Any]) -> None:
    message = pb.GetOnlineFeaturesResponse(rows=2, features=[pb.Feature(name="f", **feature)])
    with pytest.raises(fstore.DataLoss):
        _ = Answer(message.SerializeToString(), REQUEST)["f"]
    with pytest.raises(fstore.DataLoss):
        Answer(message.SerializeToString(), REQUEST).to_arrow()


@pytest.mark.parametrize("seed", range(300))
def test_damaged_bytes_are_an_error_or_a_valid_table(seed: int) -> None:
    message, _ = random_answer(seed % 150)
    data, r = bytearray(message.SerializeToString()), random.Random(seed)
    for _ in range(r.randrange(1, 4)):
        if data:
            data[r.randrange(len(data))] = r.randrange(256)
    try:
        answer = Answer(bytes(data), REQUEST)
        if answer.rows < 10**6:
            answer.to_arrow().validate(full=True)
            answer.to_dict()
            repr(answer)
    except fstore.Error:
        pass


def test_a_type_of_a_newer_server_is_named() -> None:
    message = pb.GetOnlineFeaturesResponse(rows=1, features=[pb.Feature(name="f", type="decimal")])
    with pytest.raises(fstore.Error, match="'decimal'") as caught:
        Answer(message.SerializeToString(), REQUEST).to_arrow()
    assert caught.value.hints == ["upgrade fstore-sdk"]


def test_statuses_of_a_newer_server_count_as_null() -> None:
    feature = pb.Feature(name="f", type="int64", int64_values=[1, 2, 3], statuses=b"\0\3\x77")
    answer = Answer(pb.GetOnlineFeaturesResponse(rows=3, features=[feature]).SerializeToString(), REQUEST)
    assert answer.statuses["f"] == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE"]
    assert list(answer.statuses) == ["f"]


def test_event_times_before_all_others() -> None:
    times = [-(2**63) + 1, 1, 0]
    feature = pb.Feature(
        name="f", type="bool", bool_values=[True] * 3, event_timestamps=times, event_validity=b"\3"
    )
    data = pb.GetOnlineFeaturesResponse(rows=3, features=[feature]).SerializeToString()
    asked = pb.GetOnlineFeaturesRequest(service="s", event_timestamps=True).SerializeToString()
    want = [ALWAYS, EPOCH + timedelta(microseconds=1), None]
    assert Answer(data, asked).event_timestamps["f"] == want
    with pytest.raises(fstore.InvalidRequest, match="did not ask"):
        _ = Answer(data, REQUEST).event_timestamps


def test_an_instant_beyond_datetime_is_exact_in_arrow() -> None:
    feature = pb.Feature(name="f", type="timestamp", timestamp_values=[2**62])
    answer = Answer(pb.GetOnlineFeaturesResponse(rows=1, features=[feature]).SerializeToString(), REQUEST)
    assert answer.to_arrow().column("f").cast(pa.int64()).to_pylist() == [2**62]
    with pytest.raises(fstore.Error, match="beyond the years") as caught:
        _ = answer["f"]
    assert caught.value.hints == ["use to_arrow()"]
    assert "f" in repr(answer)


def test_a_sent_column_with_the_name_of_a_feature_is_left_out() -> None:
    feature = pb.Feature(name="price", type="float64", float64_values=[2.0])
    request = pb.GetOnlineFeaturesRequest(
        entities=[
            pb.Column(name="price", type="float64", float64_values=[1.0]),
            pb.Column(name="id", type="int64", int64_values=[7]),
        ]
    )
    data = pb.GetOnlineFeaturesResponse(rows=1, features=[feature]).SerializeToString()
    answer = Answer(data, request.SerializeToString())
    assert answer.to_dict() == {"id": [7], "price": [2.0]}


def test_html_is_escaped_and_one_screen() -> None:
    feature = pb.Feature(name="<b>f</b>", type="string", string_values=["<script>alert(1)</script>"] * 50)
    features = [feature, *(pb.Feature(name=f"g{i}", type="bool", bool_values=[True] * 50) for i in range(90))]
    answer = Answer(pb.GetOnlineFeaturesResponse(rows=50, features=features).SerializeToString(), REQUEST)
    html = answer._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert html.count("<tr>") == 11
    text = repr(answer)
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) <= 16
    assert "40 more rows" in text


def test_the_messages_are_of_this_proto() -> None:
    proto = Path(__file__).parents[2] / "proto" / "fstore" / "v1" / "feature_store.proto"
    assert hashlib.sha256(proto.read_bytes()).hexdigest() == PROTO_DIGEST, "run proto/generate.sh"


def test_tensors_have_the_names_types_and_shapes_of_the_protocol() -> None:
    features = [
        pb.Feature(name="b", type="bool", bool_values=[True, False]),
        pb.Feature(name="i", type="int32", int32_values=[1, -1]),
        pb.Feature(name="l", type="int64", int64_values=[2**53 + 1, -1]),
        pb.Feature(name="f", type="float32", float32_values=[0.5, 0], validity=b"\x01"),
        pb.Feature(name="d", type="float64", float64_values=[0.1, 0.2]),
        pb.Feature(name="s", type="string", string_values=["a", "käse"]),
        pb.Feature(name="e", type="list<float64>", float64_values=[1, 2, 3, 4], offsets=[0, 2, 4]),
    ]
    answer = pb.GetOnlineFeaturesResponse(rows=2, features=features).SerializeToString()
    tensors = Answer(answer, REQUEST).to_tensors()
    assert [(t["name"], t["datatype"], t["shape"]) for t in tensors] == [
        ("b", "BOOL", [2]),
        ("i", "INT32", [2]),
        ("l", "INT64", [2]),
        ("f", "FP32", [2]),
        ("d", "FP64", [2]),
        ("s", "BYTES", [2]),
        ("e", "FP64", [2, 2]),
    ]
    assert same(tensors[3].pop("data"), [0.5, math.nan])
    assert [t["data"] for t in tensors if "data" in t] == [
        [True, False],
        [1, -1],
        [2**53 + 1, -1],
        [0.1, 0.2],
        ["a", "käse"],
        [1.0, 2.0, 3.0, 4.0],
    ]


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (pb.Feature(type="int64", int64_values=[7, 0], validity=b"\x01"), "x .int64. is null in row 2"),
        (pb.Feature(type="string", string_values=["", ""], validity=b"\x02"), "x .string. is null in row 1"),
        (pb.Feature(type="timestamp", timestamp_values=[0, 0]), "timestamp. is not a type"),
        (pb.Feature(type="bytes", bytes_values=[b"", b""]), "bytes. is not a type"),
        (pb.Feature(type="list<bytes>", offsets=[0, 0, 0]), "is not a type"),
        (pb.Feature(type="list<int32>", int32_values=[1], offsets=[0, 1, 1]), "lists of different lengths"),
        (
            pb.Feature(type="list<int32>", int32_values=[1], offsets=[0, 1, 1], validity=b"\x01"),
            "lists of different lengths, or nulls",
        ),
    ],
)
def test_what_the_protocol_cannot_say_is_refused(feature: pb.Feature, message: str) -> None:
    feature.name = "x"
    answer = pb.GetOnlineFeaturesResponse(rows=2, features=[feature]).SerializeToString()
    with pytest.raises(fstore.InvalidRequest, match=message) as caught:
        Answer(answer, REQUEST).to_tensors()
    assert caught.value.hints


def test_a_stale_view_is_told() -> None:
    response = pb.GetOnlineFeaturesResponse(rows=1)
    response.views.add(name="a", version=1, published_micros=1)
    assert not Answer(response.SerializeToString(), REQUEST).stale
    response.views.add(name="b", version=2, published_micros=1, stale=True)
    answer = Answer(response.SerializeToString(), REQUEST)
    assert answer.stale
    assert [view.stale for view in answer.views] == [False, True]
    assert "(stale)" in repr(answer)
