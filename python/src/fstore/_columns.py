"""Columns of the wire as lists of Python values."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise
from typing import Any

from google.protobuf.message import DecodeError

from fstore import _wire
from fstore.errors import DataLoss, Error

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

# The struct codes of the numbers. Those of VARINTS are varints on the wire, the others have their width there, too.
_CODES = {"int32": "i", "int64": "q", "float32": "f", "float64": "d", "timestamp": "q"}
VARINTS = ("int32", "int64")
_ELEMENTS = (*_CODES, "bool", "string", "bytes")
_BITS = bytes.maketrans(b"\0\1", b"01")


class Uneven(Exception):
    """A column does not have a value for each row, or its lists do not fit its elements."""


@dataclass(frozen=True)
class Kind:
    """A type, and how the wire has its values."""

    name: str
    """As definitions write it: "int64", "list<float32>"."""
    element: str
    """The type of its elements if it is a list, else the type itself."""
    field: str
    """The field of its values, or of its elements."""
    code: str
    """The struct code of a number; "" for other types."""
    width: int
    """The bytes of each value on the wire; 0 if they vary."""
    is_list: bool


@lru_cache
def kind_of(name: str) -> Kind:
    """Returns the kind for the name of a type. Raises Error for a type that a newer server may have."""
    is_list = name.startswith("list<") and name.endswith(">")
    element = name[5:-1] if is_list else name
    if element not in _ELEMENTS:
        raise Error(f"type {name!r} is not one that this version of fstore-sdk reads", ["upgrade fstore-sdk"])
    code = _CODES.get(element, "")
    width = struct.calcsize(code) if code and element not in VARINTS else 0
    return Kind(name, element, f"{element}_values", code, width, is_list)


def instant(micros: int) -> datetime:
    """Returns UTC microseconds since the epoch as a datetime."""
    return EPOCH + timedelta(microseconds=micros)


def micros(at: datetime) -> int:
    """Is the inverse of instant. A time without a zone is UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=timezone.utc)) - EPOCH) // _MICROSECOND


def values_of(column: Any, rows: int) -> list[Any]:
    """Returns a column (a Column or a Feature with packed bytes) as a list of `rows` Python values.

    None is null. A timestamp is a datetime in UTC.
    """
    kind = kind_of(column.type)
    if kind.is_list:
        offsets = offsets_of(column, rows)
        flat = _scalars(column, kind, offsets[-1])
        values: list[Any] = [flat[start:end] for start, end in pairwise(offsets)]
    else:
        values = _scalars(column, kind, rows)
    return nullable(values, bitmap_of(column.validity, column.name, rows))


def _scalars(column: Any, kind: Kind, n: int) -> list[Any]:
    if kind.element == "timestamp":
        try:
            return instants(packed(column, kind, n), n)
        except OverflowError as error:
            what = f"column {column.name} has an instant beyond the years 1 to 9999 of datetime"
            raise Error(what, ["use to_arrow()"]) from error
    if kind.width:
        return list(struct.unpack(f"<{n}{kind.code}", packed(column, kind, n)))
    if kind.element == "bool":
        return [flag == 1 for flag in flags(column, n)]
    return varied(column, kind, n)


def instants(packed: bytes, rows: int, of: Callable[[int], datetime] = instant) -> list[Any]:
    """Returns packed instants as datetimes."""
    if len(packed) != 8 * rows:
        raise Uneven
    return [of(at) for at in struct.unpack(f"<{rows}q", packed)]


def packed(column: Any, kind: Kind, n: int) -> bytes:
    """Returns n values of a fixed width, little-endian."""
    values: bytes = getattr(column, kind.field)
    if len(values) != n * kind.width:
        raise Uneven
    return values


def varied(column: Any, kind: Kind, n: int) -> list[Any]:
    """Returns n integers, texts or byte strings; null rows have the zero value."""
    values = getattr(column, kind.field)
    listed: list[Any] = integers_of(kind.field, values) if kind.code else values[:]
    if len(listed) != n:
        raise Uneven
    return listed


def flags(column: Any, n: int) -> bytes:
    """Returns n booleans, each a byte 0 or 1. Another form of varint makes the column uneven."""
    values: bytes = column.bool_values
    if len(values) != n or values.strip(b"\0\1"):
        raise Uneven
    return values


def offsets_of(column: Any, rows: int) -> list[int]:
    """Returns where the elements of each row begin and end: `rows` + 1 numbers that never fall."""
    offsets = integers_of("offsets", column.offsets)
    if len(offsets) != rows + 1 or offsets[0] != 0 or any(a > b for a, b in pairwise(offsets)):
        raise Uneven
    return offsets


def integers_of(field: str, run: bytes) -> list[int]:
    """Returns the values of a packed field of varints."""
    try:
        return _wire.integers(field, run)
    except DecodeError as error:
        raise Uneven from error


def nullable(values: list[Any], bitmap: bytes) -> list[Any]:
    """Puts None where a bitmap has no bit. No bitmap means no nulls."""
    if not bitmap:
        return values
    bits = f"{int.from_bytes(bitmap, 'little'):0{len(values)}b}"[::-1]
    return [value if bit == "1" else None for value, bit in zip(values, bits, strict=False)]


def bitmap_of(bitmap: bytes, name: str, rows: int) -> bytes:
    """Returns the bitmap of a column of `rows` rows; b"" if no row is null. Raises DataLoss if it has another size."""
    if bitmap and len(bitmap) != (rows + 7) >> 3:
        raise DataLoss(f"column {name} has a bitmap of {len(bitmap)} bytes for {rows} rows")
    return bitmap


def to_bitmap(flags: bytes) -> bytes:
    """Returns a bitmap of bytes that are 0 or 1: bit i%8 of byte i/8 is byte i."""
    return int(flags[::-1].translate(_BITS) or b"0", 2).to_bytes((len(flags) + 7) // 8, "little")
