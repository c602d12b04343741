"""Columns of the wire as an Arrow table.

The values of all columns are laid out as the body of one record batch of Arrow's IPC format, and Arrow reads them in one
step. For 50 columns of 100 rows that takes a third of the time of making 50 arrays.
https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import pyarrow as pa

from fstore._columns import (
    VARINTS,
    Kind,
    Uneven,
    bitmap_of,
    flags,
    integers_of,
    kind_of,
    offsets_of,
    packed,
    to_bitmap,
    varied,
)

_TYPES = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@lru_cache
def arrow_type(name: str) -> pa.DataType:
    """Returns Arrow's type for a type as definitions write it: int64, list<float32>."""
    kind = kind_of(name)
    return pa.list_(_TYPES[kind.element]) if kind.is_list else _TYPES[kind.element]


@lru_cache
def _schema(fields: tuple[tuple[str, str], ...]) -> pa.Schema:
    return pa.schema([pa.field(name, arrow_type(type_name)) for name, type_name in fields])


def table_of(columns: Sequence[Any], rows: int) -> pa.Table:
    """Returns columns (each a Column or a Feature with packed bytes) of `rows` values as a table."""
    fields = tuple([(column.name, column.type) for column in columns])
    kinds = [kind_of(type_name) for _, type_name in fields]
    integers = {name: _integers(name, columns, kinds, rows) for name in VARINTS}
    nodes: list[int] = []  # of each array: its length and its nulls
    buffers: list[bytes] = []
    for column, kind in zip(columns, kinds, strict=True):
        bitmap = column.validity
        if bitmap:
            if len(bitmap) != (rows + 7) >> 3:
                bitmap_of(bitmap, column.name, rows)  # raises
            nodes += rows, rows - (int.from_bytes(bitmap, "little") & (1 << rows) - 1).bit_count()
        else:
            nodes += rows, 0
        buffers.append(bitmap)
        if kind.is_list:
            offsets = offsets_of(column, rows)
            buffers += struct.pack(f"<{rows + 1}i", *offsets), b""
            nodes += offsets[-1], 0
            _add_values(buffers, column, kind, offsets[-1])
        elif kind.width:
            buffers.append(packed(column, kind, rows))
        elif kind.code:
            buffers.append(next(integers[kind.name]))
        else:
            _add_values(buffers, column, kind, rows)
    batch = pa.ipc.read_record_batch(pa.py_buffer(_message(rows, nodes, buffers)), _schema(fields))
    return pa.Table.from_batches([batch])


def _integers(name: str, columns: Sequence[Any], kinds: Sequence[Kind], rows: int) -> Iterator[bytes]:
    """Returns the values of each column of a type that is varints on the wire: all are decoded at once."""
    kind = kind_of(name)
    runs = [getattr(column, kind.field) for column, of in zip(columns, kinds, strict=True) if of is kind]
    if any(len(run.translate(None, _CONTINUED)) != rows for run in runs):
        raise Uneven
    values = struct.pack(f"<{rows * len(runs)}{kind.code}", *integers_of(kind.field, b"".join(runs)))
    size = len(values) // len(runs) if runs else 0
    return (values[at * size : (at + 1) * size] for at in range(len(runs)))


_CONTINUED = bytes(range(128, 256))  # a varint ends with a byte below


def _add_values(buffers: list[bytes], column: Any, kind: Kind, n: int) -> None:
    if kind.width:
        buffers.append(packed(column, kind, n))
    elif kind.code:
        buffers.append(struct.pack(f"<{n}{kind.code}", *varied(column, kind, n)))
    elif kind.element == "bool":
        buffers.append(to_bitmap(flags(column, n)))
    else:
        texts = varied(column, kind, n)
        joined = b"".join(texts) if kind.element == "bytes" else "".join(texts)
        if isinstance(joined, str):
            if not joined.isascii():
                texts = [text.encode() for text in texts]
            joined = joined.encode()
        buffers += struct.pack(f"<{n + 1}i", *accumulate(map(len, texts), initial=0)), joined


def _message(rows: int, nodes: list[int], buffers: list[bytes]) -> bytes:
    """Returns a record batch as an encapsulated message: its metadata, a flatbuffer, and the body."""
    parts = [buffer.ljust(len(buffer) + 7 & -8, b"\0") for buffer in buffers]
    starts = list(accumulate(map(len, parts), initial=0))
    places = [number for place in zip(starts, map(len, buffers), strict=False) for number in place]
    after_nodes = 96 + 8 * len(nodes)  # offsets count from the first byte of the flatbuffer
    metadata = struct.pack(
        f"<II I6H8x iHBxIIq 5H6x iIqI8x I{len(nodes)}q 4xI{len(places)}q",
        *(0xFFFFFFFF, after_nodes + 8 + 8 * len(places)),  # before the flatbuffer: a marker, and its size
        24,  # where the table Message is
        *(12, 24, 4, 6, 8, 16),  # at 4 its vtable: sizes, places of version, header type, header, body length
        *(20, 4, 3, 32, 0, starts[-1]),  # at 24 Message: version V5, a RecordBatch at 32 + 32
        *(10, 24, 8, 4, 16),  # at 48 the vtable of RecordBatch: sizes, places of length, nodes, buffers
        *(16, 24, rows, after_nodes + 4 - 80),  # at 64 RecordBatch: nodes at 68 + 24, buffers
        *(len(nodes) // 2, *nodes),  # at 92 a vector of structs: length, nulls
        *(len(buffers), *places),  # a vector of structs: offset, length
    )
    return b"".join([metadata, *parts])
