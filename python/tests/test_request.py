"""What becomes of Python's values, arrays and frames on the wire: exactly the same, or an error that says where."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fstore
from fstore import _request
from fstore._columns import nullable
from fstore._selection import selection_of
from fstore.arrowio import table_of

UTC = timezone.utc
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
MICROS = 1735732800000000


def column(values: Any) -> tuple[str, list[Any], list[int]]:
    """Returns the type, the values with None for null, and the offsets of a column as it is sent."""
    columns = _request.of_dict({"x": values})
    sent = columns.columns[0]
    fields = [f for f, v in sent.ListFields() if f.name.endswith("_values")]
    flat = list(getattr(sent, fields[0].name)) if fields else []
    offsets = list(sent.offsets)
    return sent.type, flat if offsets else nullable(flat, sent.validity), offsets


@pytest.mark.parametrize(
    ("values", "kind", "want"),
    [
        ([1, None, -(2**63)], "int64", [1, None, -(2**63)]),
        ((1, 2), "int64", [1, 2]),
        (range(3), "int64", [0, 1, 2]),
        (7, "int64", [7]),
        ("abc", "string", ["abc"]),
        ([True, None], "bool", [True, None]),
        ([1, 2.5], "float64", [1.0, 2.5]),
        ([b"\xff"], "bytes", [b"\xff"]),
        ([NOON, None], "timestamp", [MICROS, None]),
        ([NOON.replace(tzinfo=None)], "timestamp", [MICROS]),
        ([NOON.astimezone(timezone(timedelta(hours=5)))], "timestamp", [MICROS]),
        ([pd.Timestamp("2025-01-01 12:00"), pd.NaT], "timestamp", [MICROS, None]),
        ([1, pd.NA], "int64", [1, None]),
        ([np.int64(3), 4], "int64", [3, 4]),
        (np.array([1, 2], "uint8"), "int64", [1, 2]),
        (np.array([1, 2], "int32"), "int32", [1, 2]),
        (np.array([1.5, 2], "float32"), "float32", [1.5, 2]),
        (np.array(["2025-01-01T12"], "M8[s]"), "timestamp", [MICROS]),
        (np.array(["a", "b"]), "string", ["a", "b"]),
        (pd.Series([2**53 + 1, None], dtype="Int64"), "int64", [2**53 + 1, None]),
        (pd.Series(["a", None]), "string", ["a", None]),
        (pd.Series(["a", "b"], dtype="category"), "string", ["a", "b"]),
        (pd.Index([1, 2]), "int64", [1, 2]),
        (pl.Series([1, None]), "int64", [1, None]),
        (pa.chunked_array([[1, 2], [None]]), "int64", [1, 2, None]),
        (pa.array([1, None, 3, None]).slice(1, 2), "int64", [None, 3]),
        (pa.array([True, None, True]).slice(1), "bool", [None, True]),
        (pa.array([2**63 - 1], pa.uint64()), "int64", [2**63 - 1]),
        (pa.array([MICROS * 1000], pa.timestamp("ns")), "timestamp", [MICROS]),
        (pa.array(["a"], pa.large_string()), "string", ["a"]),
    ],
)
def test_values_are_sent_exactly(values: Any, kind: str, want: list[Any]) -> None:
    assert column(values) == (kind, want, [])


@pytest.mark.parametrize(
    ("values", "kind", "flat", "offsets"),
    [
        ([[1, 2], None, []], "list<int64>", [1, 2], [0, 2, 2, 2]),
        ([("a",), ["b", "c"]], "list<string>", ["a", "b", "c"], [0, 1, 3]),
        (pa.array([[1.5], None, [2.5, 3.5]]).slice(1), "list<float64>", [2.5, 3.5], [0, 0, 2]),
        (pl.Series([[1], [2, 3]]), "list<int64>", [1, 2, 3], [0, 1, 3]),
        ([[NOON]], "list<timestamp>", [MICROS], [0, 1]),
    ],
)
def test_lists_are_sent_exactly(values: Any, kind: str, flat: list[Any], offsets: list[int]) -> None:
    assert column(values) == (kind, flat, offsets)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, Decimal("1.5")], r"'x', row 2: a Decimal among values of type int"),
        ([Decimal(1)], r"'x' is decimal128"),
        ([date(2025, 1, 1)], r"'x' is date32"),
        ([date(2025, 1, 1), NOON], r"'x', row 2: a datetime among values of type date"),
        (["a", b"b"], r"'x', row 2: a bytes among values of type str"),
        ([True, 1], r"'x', row 2: a int among values of type bool"),
        ([1, None, 2**63], r"'x', row 3: 9223372036854775808 cannot be sent"),
        ([2**53 + 1, 0.5], r"'x'.*9007199254740993"),
        (["a", "\ud800"], r"'x', row 2"),
        ([pd.Timestamp(1)], r"'x', row 1: .* finer than a microsecond"),
        (pa.array([0, 1], pa.timestamp("ns")), r"'x', row 2"),
        (pa.array([1, 2**63], pa.uint64()), r"'x', row 2"),
        ([[1], [None]], r"'x', row 2: an element of a list is null"),
        (pa.array([[1], [None]]), r"'x', row 2: an element of a list is null"),
        ([[1], ["a"]], r"'x'.*a str among values of type int"),
        ([object()], r"'x', row 1"),
        ({1, 2}, r"'x' is a set"),
        ({"a": 1}, r"'x' is a dict"),
        (object(), r"'x' is a object"),
        (np.zeros((2, 2)), r"'x'.*1-dim"),
        (pa.array([{"a": 1}]), r"'x' is struct"),
    ],
)
def test_what_cannot_be_sent_exactly_is_refused(values: Any, message: str) -> None:
    with pytest.raises(fstore.InvalidRequest, match=message):
        column(values)


def test_columns_of_different_lengths() -> None:
    with pytest.raises(fstore.InvalidRequest, match="a has 2, b has 1"):
        _request.of_dict({"a": [1, 2], "b": [1]})


def test_null_columns_get_the_type_that_is_needed() -> None:
    columns = _request.of_dict({"a": [None, None], "b": [None, None], "c": [[], None]})
    assert columns.untyped()
    a, b, c = columns.typed({"a": "int64", "b": "list<string>", "c": "list<bool>"}).columns
    assert (list(a.int64_values), a.validity) == ([0, 0], b"\0")
    assert (list(b.offsets), b.validity) == ([0, 0, 0], b"\0")
    assert (c.type, list(c.offsets), c.validity) == ("list<bool>", [0, 0, 0], b"\1")


def test_models() -> None:
    for model in ("fraud@champion", "fraud/champion", ("fraud", "champion")):
        assert selection_of(None, None, model).model == ("fraud", "champion")
    assert selection_of(None, None, ("fraud", 3)).model == ("fraud", "3")
    for model in ("fraud", "fraud@", "@3", ("fraud", "")):
        with pytest.raises(fstore.InvalidRequest, match="has no version"):
            selection_of(None, None, model)
    assert selection_of(None, "a.b", None).features == ("a.b",)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "odd": [object(), Decimal(1)]}),
        pd.DataFrame({"odd": [object(), 1]}, index=pd.Index([1, 2], name="a")),
        pl.DataFrame({"a": [1, 2], "odd": [object(), object()]}),
        pa.table({"a": [1, 2], "odd": [{}, {}]}),
        pa.table({"a": [1, 2], "odd": [1, 2]}).to_reader(),
        duckdb.sql("select unnest([1::bigint, 2::bigint]) as a, 1 as odd"),
    ],
)
def test_every_frame_is_a_table(frame: Any) -> None:
    assert table_of(frame, {"a"}).to_pydict() == {"a": [1, 2]}


def test_frames_that_cannot_be_tables() -> None:
    with pytest.raises(fstore.InvalidRequest, match="column 'odd': "):
        table_of(pd.DataFrame({"a": [1, 2], "odd": [object(), 1]}))
    with pytest.raises(fstore.InvalidRequest, match="two columns 'a'"):
        table_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(fstore.InvalidRequest, match="a dict has no columns"):
        table_of({"a": 1})
