"""The messages of fstore.v1 as this package reads them: packed values stay bytes.

On the wire, a packed field is a run of bytes, as a field of type bytes is. So the same message, described with bytes in
place of packed values, is parsed without an object per value; and the bytes of fixed-width values are Arrow's layout.
Two encodings that protobuf allows and no fstore server sends would be lost: values that are not packed, and values that
are split into several runs. Then a column has not as many values as rows, and `canonical` mends the message.
"""

from __future__ import annotations

import sys
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from fstore.v1 import feature_store_pb2 as pb

if sys.byteorder != "little":
    raise ImportError(
        "fstore reads values in the byte order of the wire, so it needs a little-endian machine"
    )

_FIELD = descriptor_pb2.FieldDescriptorProto
_UNPACKED = (_FIELD.TYPE_STRING, _FIELD.TYPE_BYTES, _FIELD.TYPE_MESSAGE)


def _with_packed_bytes() -> Any:
    """Returns a pool with fstore.v1 in which each packed field is a field of bytes."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    for message in file.message_type:
        for field in message.field:
            if field.label == _FIELD.LABEL_REPEATED and field.type not in _UNPACKED:
                field.label, field.type = _FIELD.LABEL_OPTIONAL, _FIELD.TYPE_BYTES
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_POOL = _with_packed_bytes()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"fstore.v1.{name}"))


# Any: their classes exist only at run time.
PackedRequest: Any = _message("GetOnlineFeaturesRequest")
PackedResponse: Any = _message("GetOnlineFeaturesResponse")
PackedDescription: Any = _message("DescribeFeaturesResponse")


def canonical(response: bytes) -> bytes:
    """Returns an answer with the values of each column packed into one run."""
    return pb.GetOnlineFeaturesResponse.FromString(response).SerializeToString()


def integers(field: str, run: bytes) -> list[int]:
    """Returns the values of a packed field of varints: int32_values, int64_values or offsets.

    For any number of values this takes less time than arithmetic on arrays of numpy.
    """
    values: list[int] = getattr(pb.Column.FromString(_TAGS[field] + varint(len(run)) + run), field)[:]
    return values


_TAGS = {
    name: bytes([pb.Column.DESCRIPTOR.fields_by_name[name].number << 3 | 2])
    for name in ("int32_values", "int64_values", "offsets")
}


def varint(n: int) -> bytes:
    """Returns a number as protobuf writes it."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)
