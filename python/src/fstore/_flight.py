"""The messages of Arrow Flight as this package sends and reads them, over the channel of look-ups.

pyarrow.flight would open a channel of its own, and tells errors apart less well than gRPC's status does.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from fstore._wire import varint

SERVICE = "/arrow.flight.protocol.FlightService/"
LONGEST_BATCH = 4 << 20
"""Bytes of a record batch that is sent; the server takes up to 16 MB."""

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[str, int, Any, bool, str], ...]] = {
    "FlightDescriptor": (
        ("type", 1, _FIELD.TYPE_INT32, False, ""),
        ("path", 3, _FIELD.TYPE_STRING, True, ""),
    ),
    "Ticket": (("ticket", 1, _FIELD.TYPE_BYTES, False, ""),),
    "FlightEndpoint": (("ticket", 1, _FIELD.TYPE_MESSAGE, False, "Ticket"),),
    "FlightInfo": (
        ("schema", 1, _FIELD.TYPE_BYTES, False, ""),
        ("endpoint", 3, _FIELD.TYPE_MESSAGE, True, "FlightEndpoint"),
        ("total_records", 4, _FIELD.TYPE_INT64, False, ""),
        ("total_bytes", 5, _FIELD.TYPE_INT64, False, ""),
        ("app_metadata", 7, _FIELD.TYPE_BYTES, False, ""),
    ),
    "Criteria": (("expression", 1, _FIELD.TYPE_BYTES, False, ""),),
    "Action": (("type", 1, _FIELD.TYPE_STRING, False, ""), ("body", 2, _FIELD.TYPE_BYTES, False, "")),
    "Result": (("body", 1, _FIELD.TYPE_BYTES, False, ""),),
    "PutResult": (("app_metadata", 1, _FIELD.TYPE_BYTES, False, ""),),
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="fstore/flight.proto", package="fstore.flight", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated, of in fields:
            message.field.add(
                name=field,
                number=number,
                type=kind,
                label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
                type_name=f".fstore.flight.{of}" if of else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"fstore.flight.{name}"))
        for name in _MESSAGES
    }


_CLASSES = _classes()

Descriptor: Any = _CLASSES["FlightDescriptor"]
Ticket: Any = _CLASSES["Ticket"]
Info: Any = _CLASSES["FlightInfo"]
Criteria: Any = _CLASSES["Criteria"]
Action: Any = _CLASSES["Action"]
Result: Any = _CLASSES["Result"]
PutResult: Any = _CLASSES["PutResult"]

_PATH = 1  # the type of a descriptor


def descriptor(*path: str) -> bytes:
    """Returns the message for a path."""
    message: bytes = Descriptor(type=_PATH, path=path).SerializeToString()
    return message


def action(kind: str, body: dict[str, Any]) -> bytes:
    """Returns the message for an action with a body of JSON."""
    message: bytes = Action(type=kind, body=json.dumps(body).encode()).SerializeToString()
    return message


def uploaded(path: tuple[str, ...], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yields the messages that send record batches to a path."""
    yield _data(schema.serialize(), descriptor(*path))
    for batch in batches:
        for piece in _pieces(batch):
            yield _data(piece)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.Buffer]:
    """Yields a batch in pieces that are small enough."""
    if batch.nbytes > LONGEST_BATCH and batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from _pieces(batch.slice(0, half))
        yield from _pieces(batch.slice(half))
    elif batch.num_rows:
        yield batch.serialize()


def _data(message: pa.Buffer, of: bytes = b"") -> bytes:
    """Returns an encapsulated message of Arrow (a marker, the length of its header, the header, the body) as FlightData."""
    view = memoryview(message)
    end = 8 + struct.unpack_from("<i", view, 4)[0]
    header, body = view[8:end], view[end:]
    parts: list[bytes | memoryview] = [b"\x0a", varint(len(of)), of] if of else []
    parts += [varint(_HEADER), varint(len(header)), header]
    parts += [varint(_BODY), varint(len(body)), body]
    return b"".join(parts)


_HEADER, _BODY = 2 << 3 | 2, 1000 << 3 | 2  # tags of FlightData


def piece(message: bytes) -> memoryview:
    """Returns the bytes that a message of a file has: those of the only value of its record batch, without a copy."""
    view = memoryview(message)  # protobuf would copy the body
    fields: dict[int, memoryview] = {}
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        length, at = _varint(view, at)  # every field is bytes
        fields[tag] = view[at : at + length]
        at += length
    body = fields.get(_BODY)
    if not body:
        return memoryview(b"")  # the schema
    start, length = _last_buffer(bytes(fields[_HEADER]))
    return body[start : start + length]


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Returns a number as protobuf writes it, and where the next one begins."""
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _last_buffer(header: bytes) -> tuple[int, int]:
    """Returns where the last buffer of a record batch is in its body, and its length (Message.fbs of Arrow)."""
    message = _u32(header, 0)
    batch = _followed(header, _slot(header, message, 2))
    buffers = _followed(header, _slot(header, batch, 2))
    count = _u32(header, buffers)
    start, length = struct.unpack_from("<qq", header, buffers + 4 + 16 * (count - 1))
    return start, length


def _u32(b: bytes, at: int) -> int:
    value: int = struct.unpack_from("<I", b, at)[0]
    return value


def _followed(b: bytes, at: int) -> int:
    """Returns where an offset at a position leads."""
    return at + _u32(b, at)


def _slot(b: bytes, table: int, field: int) -> int:
    """Returns where a field of a table is."""
    names = table - int(struct.unpack_from("<i", b, table)[0])
    return table + int(struct.unpack_from("<H", b, names + 4 + 2 * field)[0])
