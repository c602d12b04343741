"""Columns of the wire as Arrow arrays and as lists of Python values."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from fstore import _wire
from fstore.errors import DataLoss, Error

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

# The struct codes of the types whose values have a fixed width.
_FIXED = {"float32": "f", "float64": "d", "timestamp": "q"}
_VARINTS = ("bool", "int32", "int64")
_TEXTS = ("string", "bytes")


class Uneven(Exception):
    """A column does not have a value for each row, or its lists do not fit its elements."""


def instant(micros: int) -> datetime:
    """Returns UTC microseconds since the epoch as a datetime."""
    return EPOCH + timedelta(microseconds=micros)


def micros(at: datetime) -> int:
    """Is the inverse of instant. A time without a zone is UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=timezone.utc)) - EPOCH) // _MICROSECOND


def element_of(type_name: str) -> str:
    """Returns the element type of a list type, and any other type as it is."""
    return type_name[5:-1] if type_name.startswith("list<") else type_name


def arrow_type(type_name: str) -> pa.DataType:
    """Returns Arrow's type for a type as definitions write it: int64, list<float32>."""
    import pyarrow as pa

    if type_name.startswith("list<"):
        return pa.list_(arrow_type(element_of(type_name)))
    types = {
        "bool": pa.bool_(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "float64": pa.float64(),
        "string": pa.string(),
        "bytes": pa.binary(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    if type_name not in types:
        raise Error(
            f"type {type_name!r} is not one that this version of fstore-sdk reads", ["upgrade fstore-sdk"]
        )
    return types[type_name]


def array_of(column: Any, rows: int) -> pa.Array:
    """Returns a column (a Column or a Feature with packed bytes) as an Arrow array of `rows` values.

    Values of a fixed width are not copied.
    """
    import pyarrow as pa

    kind = arrow_type(column.type)
    validity = bitmap_of(column.validity, column.name, rows)
    bitmap = pa.py_buffer(validity) if validity else None
    if not pa.types.is_list(kind):
        return _flat_array(column, kind, column.type, rows, bitmap)
    offsets = _offsets(column, rows)
    elements = _flat_array(column, kind.value_type, element_of(column.type), offsets[-1], None)
    packed = pa.py_buffer(struct.pack(f"<{rows + 1}i", *offsets))
    return pa.Array.from_buffers(kind, rows, [bitmap, packed], children=[elements])


def _flat_array(column: Any, kind: pa.DataType, name: str, n: int, bitmap: pa.Buffer | None) -> pa.Array:
    import pyarrow as pa

    nulls = 0 if bitmap is None else -1
    if name in _FIXED:
        return pa.Array.from_buffers(kind, n, [bitmap, pa.py_buffer(_fixed(column, name, n))], nulls)
    array = pa.array(_raw(column, name, n), kind)
    if bitmap is None:
        return array
    return pa.Array.from_buffers(kind, n, [bitmap, *array.buffers()[1:]], nulls)


def values_of(column: Any, rows: int) -> list[Any]:
    """Returns a column as a list of `rows` Python values; None for null, a datetime in UTC for a timestamp."""
    name = element_of(column.type)
    if column.type.startswith("list<"):
        offsets = _offsets(column, rows)
        flat = _plain(column, name, offsets[-1])
        values: list[Any] = [flat[start:end] for start, end in pairwise(offsets)]
    else:
        values = _plain(column, name, rows)
    return nullable(values, bitmap_of(column.validity, column.name, rows))


def nullable(values: list[Any], validity: bytes) -> list[Any]:
    """Puts None where a validity bitmap has no bit. No bitmap means no nulls."""
    if not validity:
        return values
    return [value if validity[i >> 3] >> (i & 7) & 1 else None for i, value in enumerate(values)]


def instants(packed: bytes, rows: int, zero: Callable[[int], Any] = instant) -> list[Any]:
    """Returns packed instants as datetimes."""
    if len(packed) != 8 * rows:
        raise Uneven
    return [zero(at) for at in struct.unpack(f"<{rows}q", packed)]


def _plain(column: Any, name: str, n: int) -> list[Any]:
    """Returns n values of a scalar type; null rows have the zero value."""
    if name == "timestamp":
        try:
            return instants(_fixed(column, name, n), n)
        except OverflowError as error:
            raise Error(
                f"column {column.name} has an instant beyond the years 1 to 9999 of datetime",
                ["use to_arrow()"],
            ) from error
    if name in _FIXED:
        return list(struct.unpack(f"<{n}{_FIXED[name]}", _fixed(column, name, n)))
    return _raw(column, name, n)


def _fixed(column: Any, name: str, n: int) -> bytes:
    packed: bytes = getattr(column, f"{name}_values")
    if len(packed) != n * struct.calcsize(_FIXED[name]):
        raise Uneven
    return packed


def _raw(column: Any, name: str, n: int) -> list[Any]:
    """Returns n values of a type whose width varies."""
    if name in _VARINTS:
        values = _integers(f"{name}_values", getattr(column, f"{name}_values"))
    elif name in _TEXTS:
        values = list(getattr(column, f"{name}_values"))
    else:
        arrow_type(name)  # raises
        raise AssertionError(name)
    if len(values) != n:
        raise Uneven
    return values


def _integers(field: str, run: bytes) -> list[int]:
    try:
        return _wire.integers(field, run)
    except DecodeError as error:
        raise Uneven from error


def _offsets(column: Any, rows: int) -> Sequence[int]:
    offsets = _integers("offsets", column.offsets)
    if len(offsets) != rows + 1 or offsets[0] != 0 or any(a > b for a, b in pairwise(offsets)):
        raise Uneven
    return offsets


def bitmap_of(bitmap: bytes, name: str, rows: int) -> bytes:
    """Returns a bitmap of `rows` rows, or b"" if no row is null. Raises DataLoss if it has another size."""
    if bitmap and len(bitmap) != (rows + 7) // 8:
        raise DataLoss(f"column {name} has {len(bitmap)} bytes of validity for {rows} rows")
    return bitmap
