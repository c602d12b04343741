"""Frames in and out through Arrow: pandas, polars, pyarrow, DuckDB relations, whatever has `__arrow_c_stream__`."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from fstore._arrays import arrow_type
from fstore.errors import InvalidRequest

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

DtypeBackend = Literal["numpy_nullable", "pyarrow"]


def is_frame(data: object) -> bool:
    """Reports whether data has columns that this module can read."""
    return (
        _is_pandas(data)
        or _is_polars(data)
        or isinstance(data, (pa.Table, pa.RecordBatch, pa.RecordBatchReader))
        or hasattr(data, "__arrow_c_stream__")
        or hasattr(data, "fetch_record_batch")
        or hasattr(data, "scanner")
    )


def held(data: Any) -> Any:
    """Returns data in a form that can be read more than once: a stream is read into a table."""
    return data if _is_pandas(data) or _is_polars(data) else table_of(data)


def table_of(data: Any, among: Collection[str] | None = None) -> pa.Table:
    """Returns a frame as a table: all columns, or those that are among some names.

    Columns that are left out need no type that Arrow knows. A named index of pandas is a column; one without a name is
    left out. Raises InvalidRequest for what is no frame, and for values that Arrow cannot hold, with their column.
    """
    if _is_pandas(data):
        return _of_pandas(data, among)
    if _is_polars(data):
        return (data if among is None else data.select([c for c in data.columns if c in among])).to_arrow()
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if not isinstance(data, pa.Table):
        data = reader_of(data).read_all()
    names = data.column_names
    if among is None:
        return data
    return data.select([i for i, name in enumerate(names) if name in among])


def reader_of(data: Any) -> pa.RecordBatchReader:
    """Returns a frame as a stream of record batches; only pandas is converted as a whole."""
    if isinstance(data, pa.RecordBatchReader):
        return data
    if _is_pandas(data) or isinstance(data, pa.RecordBatch):
        return table_of(data).to_reader()
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if hasattr(data, "to_reader"):
        return data.to_reader()
    if hasattr(data, "scanner"):  # a pyarrow.dataset.Dataset
        return data.scanner().to_reader()
    if hasattr(data, "fetch_record_batch"):  # a DuckDB relation before it spoke Arrow's protocol
        return data.fetch_record_batch()
    if _is_polars(data):
        return data.to_arrow().to_reader()
    raise InvalidRequest(
        f"a {type(data).__name__} has no columns",
        ["give a DataFrame of pandas or polars, a pyarrow Table, or anything with __arrow_c_stream__"],
    )


def in_utc(schema: pa.Schema, features: Iterable[Mapping[str, Any]], given: bool) -> pa.Schema:
    """Returns the schema of a file of the engine with time zones, and without metadata.

    The engine writes instants in UTC without a zone. `given` says that label columns keep the types that they were given:
    those of a frame or a Parquet file. Labels of a query or a CSV file have no such types.
    """
    instants = {f["name"] for f in features if f["type"] in ("timestamp", "list<timestamp>")}
    return pa.schema(
        [pa.field(f.name, f.type if given and f.name not in instants else _in_utc(f.type)) for f in schema]
    )


def _in_utc(kind: pa.DataType) -> pa.DataType:
    """Returns a type with UTC as the zone of instants that have none, also of those in lists."""
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_in_utc(kind.value_type)))
    return kind


def of_json(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> pa.Table:
    """Returns rows as the command prints them in JSON, as a table of columns with types of fstore."""
    return pa.table({name: _of_json([row[name] for row in rows], kind) for name, kind in types.items()})


_READERS: dict[str, Callable[[Any], Any]] = {"bytes": base64.b64decode, "float32": float, "float64": float}


def _of_json(values: list[Any], kind: str) -> pa.Array:
    is_list, element = kind.startswith("list<"), kind.removeprefix("list<").removesuffix(">")
    if read := _READERS.get(element):
        values = [_each(read, v) for v in values] if is_list else _each(read, values)
    if element == "timestamp":
        return pa.array(values, arrow_type(kind.replace("timestamp", "string"))).cast(arrow_type(kind))
    return pa.array(values, arrow_type(kind))


def _each(read: Callable[[Any], Any], values: list[Any] | None) -> Any:
    return None if values is None else [None if v is None else read(v) for v in values]


def to_pandas(table: pa.Table, dtype_backend: DtypeBackend | None = None) -> pd.DataFrame:
    """Returns a table as a DataFrame of the same shape, with a RangeIndex.

    By default integers of every width and booleans with nulls become pandas' nullable types (Int64, UInt8, boolean), so that
    no value changes; all other columns are numpy's, where a null float is NaN, a null timestamp is NaT, and a list is an array.
    Lists in a column that has nulls among their integers are arrays of Python's int and None, because numpy would make
    them floats. `dtype_backend` is that of pandas: "numpy_nullable" for its nullable types throughout, "pyarrow" for
    Arrow's own, which keep null and NaN apart.
    """
    import numpy as np
    import pandas as pd

    if dtype_backend == "pyarrow":
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    if dtype_backend not in (None, "numpy_nullable"):
        raise InvalidRequest(
            f"there is no dtype_backend {dtype_backend!r}", ['it is "numpy_nullable" or "pyarrow"']
        )
    nullable = _nullable_types()
    own: dict[int, Any] = {}  # columns that pyarrow would change
    for i, column in enumerate(table.columns):
        if any(_has_null_integers(chunk) for chunk in column.chunks):
            own[i] = pd.Series([_exact(v, np) for v in column.to_pylist()], dtype=object)
        elif dtype_backend is None and column.null_count and _is_exact(column.type):
            own[i] = column.to_pandas(types_mapper=nullable.get)
    rest = table.select([i for i in range(table.num_columns) if i not in own])
    frame = rest.to_pandas(types_mapper=nullable.get if dtype_backend else None)
    for i, series in own.items():
        frame.insert(i, table.column_names[i], series)
    return frame


def _is_exact(kind: pa.DataType) -> bool:
    """Reports whether numpy has no null for a type, so that pyarrow would make it float or object."""
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _has_null_integers(values: pa.Array) -> bool:
    """Reports whether an array of lists has a null among its integers, however deep."""
    is_list = False
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        values, is_list = values.flatten(), True
    return is_list and pa.types.is_integer(values.type) and values.null_count > 0


def _exact(value: Any, np: Any) -> Any:
    """Returns a list as an array of objects, and what it has likewise."""
    if not isinstance(value, list):
        return value
    array = np.empty(len(value), object)
    for i, each in enumerate(value):
        array[i] = _exact(each, np)
    return array


def to_polars(table: pa.Table) -> pl.DataFrame:
    """Returns a table as a polars DataFrame of the same shape."""
    import polars as pl

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _nullable_types() -> dict[pa.DataType, Any]:
    import pandas as pd

    return {
        pa.bool_(): pd.BooleanDtype(),
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.float32(): pd.Float32Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.string(): pd.StringDtype(),
    }


def _of_pandas(frame: pd.DataFrame, among: Collection[str] | None) -> pa.Table:
    for name in frame.index.names:
        if name is not None and name not in frame.columns and (among is None or name in among):
            frame = frame.assign(**{name: frame.index.get_level_values(name)})
    if among is not None:
        frame = frame.loc[:, [c in among for c in frame.columns]]
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InvalidRequest(f"the frame has two columns {twice!r}", ["rename one"])
    return _from_pandas(frame)


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        raise InvalidRequest(
            _why_not(frame) or str(error), ["make all values of a column one type"]
        ) from error


def _why_not(frame: pd.DataFrame) -> str:
    """Returns which column Arrow cannot hold, and why; "" if it is the index."""
    for name in frame.columns:
        try:
            pa.Array.from_pandas(frame[name])
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
            return f"column {name!r}: {error}"
    return ""


def _is_pandas(data: object) -> bool:
    return _is_a(data, "pandas", lambda pandas: pandas.DataFrame)


def _is_polars(data: object) -> bool:
    return _is_a(data, "polars", lambda polars: polars.DataFrame)


def _is_a(data: object, module: str, kind: Callable[[Any], type]) -> bool:
    """Reports whether data is of a class of a module, without importing the module."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(data, kind(loaded))
