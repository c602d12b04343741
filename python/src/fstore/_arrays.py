"""Columns of the wire as an Arrow table.

The values of all columns are laid out as the body of one record batch of Arrow's IPC format, and Arrow reads them in one
step. For 50 columns of 100 rows that takes a third of the time of making 50 arrays.
https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import pyarrow as pa

from fstore._columns import Kind, bitmap_of, flags, kind_of, offsets_of, packed, to_bitmap, varied

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
    body = _Body()
    fields = []
    for column in columns:
        name, type_name = column.name, column.type
        fields.append((name, type_name))
        kind = kind_of(type_name)
        body.add_node(rows, bitmap_of(column.validity, name, rows))
        n = rows
        if kind.is_list:
            offsets = offsets_of(column, rows)
            body.add(struct.pack(f"<{rows + 1}i", *offsets))
            n = offsets[-1]
            body.add_node(n, b"")
        _add_values(body, column, kind, n)
    batch = pa.ipc.read_record_batch(pa.py_buffer(body.message(rows)), _schema(tuple(fields)))
    return pa.Table.from_batches([batch])


def _add_values(body: _Body, column: Any, kind: Kind, n: int) -> None:
    if kind.width:
        body.add(packed(column, kind, n))
    elif kind.code:
        body.add(struct.pack(f"<{n}{kind.code}", *varied(column, kind, n)))
    elif kind.element == "bool":
        body.add(to_bitmap(flags(column, n)))
    else:
        texts = varied(column, kind, n)
        joined = b"".join(texts) if kind.element == "bytes" else "".join(texts)
        if isinstance(joined, str):
            if not joined.isascii():
                texts = [text.encode() for text in texts]
            joined = joined.encode()
        body.add(struct.pack(f"<{n + 1}i", *accumulate(map(len, texts), initial=0)))
        body.add(joined)


class _Body:
    """The body of a record batch, and the places of what is in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._nodes: list[int] = []  # of each array: its length and its nulls
        self._buffers: list[int] = []  # of each buffer: where it begins and its length

    def add_node(self, n: int, bitmap: bytes) -> None:
        """Begins an array of n values; its other buffers follow."""
        valid = (int.from_bytes(bitmap, "little") & (1 << n) - 1).bit_count() if bitmap else n
        self._nodes += n, n - valid
        self.add(bitmap)

    def add(self, buffer: bytes) -> None:
        """Adds a buffer, aligned to 8 bytes."""
        size = len(buffer)
        self._parts.append(buffer)
        self._buffers += self._size, size
        self._size += size
        if size & 7:
            pad = -size & 7
            self._parts.append(bytes(pad))
            self._size += pad

    def message(self, rows: int) -> bytes:
        """Returns the record batch as an encapsulated message: its metadata, a flatbuffer, and the body."""
        nodes, buffers = len(self._nodes), len(self._buffers)
        after_nodes = 96 + 8 * nodes  # offsets count from the first byte of the flatbuffer
        metadata = struct.pack(
            f"<II I6H8x iHBxIIq 5H6x iIqI8x I{nodes}q 4xI{buffers}q",
            *(0xFFFFFFFF, after_nodes + 8 + 8 * buffers),  # before the flatbuffer: a marker, and its size
            24,  # where the table Message is
            *(
                12,
                24,
                4,
                6,
                8,
                16,
            ),  # at 4 its vtable: sizes, places of version, header type, header, body length
            *(20, 4, 3, 32, 0, self._size),  # at 24 Message: version V5, a RecordBatch at 32 + 32
            *(10, 24, 8, 4, 16),  # at 48 the vtable of RecordBatch: sizes, places of length, nodes, buffers
            *(16, 24, rows, after_nodes + 4 - 80),  # at 64 RecordBatch: nodes at 68 + 24
            *(nodes // 2, *self._nodes),  # at 92 a vector of structs: length, nulls
            *(buffers // 2, *self._buffers),  # a vector of structs: offset, length
        )
        return b"".join([metadata, *self._parts])
