"""Every type, from Parquet through the store and the wire to Python, unchanged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fstore
from fstore import arrowio
from tests.conftest import ROOT, serving
from tests.conftest import fstore as run

NOW = datetime(2025, 3, 1, 12, 0, 0, 1, timezone.utc)
UTC = pa.timestamp("us", "UTC")
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "b": (pa.bool_(), [True, False, None]),
    "i32": (pa.int32(), [2**31 - 1, -(2**31), None]),
    "i64": (pa.int64(), [2**53 + 1, -(2**63), None]),
    "f32": (pa.float32(), [0.5, -math.inf, None]),
    "f64": (pa.float64(), [0.1, math.inf, None]),
    "s": (pa.string(), ["käse", "", None]),
    "y": (pa.binary(), [b"\0\xff", b"", None]),
    "t": (UTC, [NOW, datetime(1969, 12, 31, 23, 59, 59, 999999, timezone.utc), None]),
    "ls": (pa.list_(pa.string()), [["x", ""], [], None]),
    "lf": (pa.list_(pa.float32()), [[0.25, math.inf], [], None]),
    "li": (pa.list_(pa.int64()), [[2**63 - 1, -1], [], None]),
    "lt": (pa.list_(UTC), [[NOW], [], None]),
}
KEYS = {"day": [7, 8, 9], "site": ["a.example", "a.example", "b.example"]}
DEFINITIONS = """
kind: entity
name: visit
join_keys: [{name: day, type: int32}, {name: site, type: string}]
---
kind: source
name: rows
path: visits.parquet
event_timestamp: at
---
kind: feature_view
name: visits
entities: [visit]
source: rows
features:
"""


@pytest.fixture(scope="module")
def repo(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repo with a feature of every type, materialized."""
    repo = tmp_path_factory.mktemp("types") / "repo"
    run(binary, "init", "--empty", str(repo))
    columns = {name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()}
    keys = {"day": pa.array(KEYS["day"], pa.int32()), "site": KEYS["site"], "at": pa.array([NOW] * 3, UTC)}
    pq.write_table(pa.table(keys | columns), repo / "visits.parquet")
    names = {
        "b": "bool",
        "i32": "int32",
        "i64": "int64",
        "f32": "float32",
        "f64": "float64",
        "s": "string",
        "y": "bytes",
    }
    names |= {
        "t": "timestamp",
        "ls": "list<string>",
        "lf": "list<float32>",
        "li": "list<int64>",
        "lt": "list<timestamp>",
    }
    features = "".join(f"  - {{name: {name}, type: {kind}}}\n" for name, kind in names.items())
    (repo / "definitions.yaml").write_text(DEFINITIONS + features)
    run(binary, "apply", "--yes", repo=repo)
    run(binary, "materialize", "--to", "2025-12-01", repo=repo)
    return repo


@pytest.fixture(scope="module")
def address(binary: Path, repo: Path) -> Iterator[str]:
    with serving(binary, repo) as address:
        yield address


def test_every_type_arrives_unchanged(address: str) -> None:
    with fstore.Client(address) as client:
        answer = client.online(features=["visits.*"], entities=KEYS, event_timestamps=True)
    assert answer.to_dict() == KEYS | {name: values for name, (_, values) in COLUMNS.items()}
    table = answer.to_arrow(keys=False)
    assert table.schema.types == [kind for kind, _ in COLUMNS.values()]
    assert table.to_pydict() == {name: values for name, (_, values) in COLUMNS.items()}
    assert answer.statuses["i64"] == ["PRESENT", "PRESENT", "NULL_VALUE"]
    assert answer.event_timestamps["i64"] == [NOW] * 3
    assert answer.to_pandas()["i64"].tolist()[:2] == [2**53 + 1, -(2**63)]
    assert answer.to_polars()["i64"].to_list() == COLUMNS["i64"][1]


def test_training_has_the_types_of_serving(binary: Path, repo: Path, address: str) -> None:
    with fstore.Client(address) as client:
        served = client.online(features=["visits.*"], entities=KEYS).to_arrow(keys=False)
    labels = pa.table({"day": pa.array(KEYS["day"], pa.int32()), "site": KEYS["site"]})
    labels = labels.append_column(
        "event_timestamp", pa.array([datetime(2025, 12, 1, tzinfo=timezone.utc)] * 3, UTC)
    )
    trained = fstore.Repo(repo, binary=binary).features(labels, features=["visits.*"]).to_arrow()
    assert trained.select(served.column_names).schema == served.schema
    assert trained.select(served.column_names).equals(served)


INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
def test_pandas_has_every_integer_beside_nulls(kind: pa.DataType, backend: Any) -> None:
    signed = pa.types.is_signed_integer(kind)
    values = [2 ** (kind.bit_width - signed) - 1, -(2 ** (kind.bit_width - 1)) if signed else 0, None]
    lists = [values, [], None, [None]]
    table = pa.table(
        {
            "plain": pa.chunked_array([pa.array(values, kind), pa.array([1], kind)]),
            "list": pa.array(lists, pa.list_(kind)),
            "deep": pa.array([[values, values], None, [], [None]], pa.list_(pa.list_(kind))),
            "last": ["a", "b", "c", "d"],
        }
    )
    frame = arrowio.to_pandas(table, backend)
    assert list(frame.columns) == table.column_names
    assert [None if v is pd.NA else v for v in frame["plain"].tolist()] == [*values, 1]
    assert all(isinstance(v, int) for v in frame["plain"].dropna().tolist())
    if backend == "pyarrow":  # lists of Arrow
        assert frame["list"].array.__arrow_array__().to_pylist() == lists
        return
    assert [None if v is None else v.tolist() for v in frame["list"]] == lists
    assert type(frame["list"][0][0]) is int
    assert [v.tolist() for v in frame["deep"][0]] == [values, values]


def test_the_example_prints_an_answer(address: str) -> None:
    script = ROOT / "examples" / "python_client" / "get_features.py"

    def ask(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), "--address", address, *args]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = ask(
        "--feature", "visits.i64", "--feature", "visits.f64=share", "day=7,8", "site=a.example,a.example"
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["features"]["i64"] == [2**53 + 1, -(2**63)]
    assert printed["features"]["share"] == [0.1, math.inf]
    assert list(printed["published"]) == ["visits@1"]
    refused = ask("--service", "nope")
    assert 'there is no feature_service "nope"' in refused.stderr
    assert refused.returncode == 1
