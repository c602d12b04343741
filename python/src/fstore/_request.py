"""The columns of a request, from Python values, arrays and frames.

Types are the server's: bool, int32, int64, float32, float64, string, bytes, timestamp (UTC microseconds), and lists of
them. A value is sent exactly or refused; nothing is rounded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from fstore import _columns
from fstore.errors import InvalidRequest
from fstore.v1 import feature_store_pb2 as pb

if TYPE_CHECKING:
    import pyarrow as pa

# Python's types that are sent as they are; subclasses, such as those of pandas, go through Arrow.
_EXACT = {bool: "bool", int: "int64", float: "float64", str: "string", bytes: "bytes", datetime: "timestamp"}
_ZEROS: dict[str, Any] = {
    "bool": False,
    "int32": 0,
    "int64": 0,
    "float32": 0.0,
    "float64": 0.0,
    "string": "",
    "bytes": b"",
    "timestamp": 0,
}
_SCALARS = (str, bytes, bool, int, float, date, time, timedelta, Decimal)


@dataclass
class Columns:
    """The columns of a request, and how many rows each has."""

    columns: list[pb.Column]
    rows: int

    def untyped(self) -> bool:
        """Reports whether a column has no type, because it has no value that is not null."""
        return any(not column.type for column in self.columns)

    def typed(self, types: Mapping[str, str]) -> Columns:
        """Returns the columns; those without a type get theirs."""
        for column in self.columns:
            if not column.type:
                _give_type(column, types, self.rows)
        return self


def of_dict(entities: Mapping[str, Any]) -> Columns:
    """Returns a column for each name. A scalar is a column of one row."""
    sized = [_column(name, values) for name, values in entities.items()]
    return _even([column for column, _ in sized], [rows for _, rows in sized])


def columns_of(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Returns the columns of one or more rows, each a dict with the same names."""
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidRequest(
                f"entities is a list, and its row {i} is a {type(row).__name__}",
                ['give a dict for each row, [{"customer_id": 12003}]'],
            )
        if row.keys() != rows[0].keys():
            odd = min(row.keys() ^ rows[0].keys(), key=str)
            has, lacks = (0, i) if odd in rows[0] else (i, 0)
            raise InvalidRequest(
                f"row {has} of entities has {odd!r}, and row {lacks} has not",
                ["give every row the same names; None is null"],
            )
    return {name: [row[name] for row in rows] for name in rows[0]}


def of_table(table: pa.Table) -> Columns:
    """Returns the columns of a table."""
    return Columns(
        [_of_arrow(n, c) for n, c in zip(table.column_names, table.columns, strict=True)], table.num_rows
    )


def _even(columns: list[pb.Column], rows: list[int]) -> Columns:
    if len(set(rows)) > 1:
        sizes = ", ".join(f"{c.name} has {n}" for c, n in zip(columns, rows, strict=True))
        raise InvalidRequest(
            f"the columns have different numbers of rows: {sizes}", ["give one value per row"]
        )
    return Columns(columns, rows[0] if rows else 1)


def _give_type(column: pb.Column, types: Mapping[str, str], rows: int) -> None:
    """Completes a column of nulls or of empty lists."""
    name = column.name
    if name not in types:
        raise InvalidRequest(
            f"column {name!r} has no value that says its type, and the features do not need it",
            ["leave it out, or give an array with a type"],
        )
    column.type = types[name]
    if column.offsets:
        return
    column.validity = bytes((rows + 7) // 8)
    if column.type.startswith("list<"):
        column.offsets.extend([0] * (rows + 1))
    else:
        getattr(column, f"{column.type}_values").extend([_ZEROS[column.type]] * rows)


def _column(name: str, values: Any) -> tuple[pb.Column, int]:
    if not isinstance(name, str):
        raise InvalidRequest(f"the name of a column is a {type(name).__name__}, want a str")
    if values is None or isinstance(values, _SCALARS):
        values = [values]
    if isinstance(values, (Mapping, Set)) or not isinstance(values, Iterable):
        raise InvalidRequest(
            f"column {name!r} is a {type(values).__name__}", ["give a list or an array of its values"]
        )
    if _is_array(values):
        array = _array(name, values)
        return _of_arrow(name, array), len(array)
    listed = values if isinstance(values, list) else list(values)
    return _of_list(name, listed), len(listed)


def _is_array(values: Any) -> bool:
    return not isinstance(values, (list, tuple)) and any(hasattr(values, way) for way in _ARRAYS)


_ARRAYS = ("__arrow_c_array__", "__arrow_c_stream__", "__arrow_array__", "__array__")


def _of_list(name: str, values: Sequence[Any]) -> pb.Column:
    """Returns a column of Python values. None, pandas' NA and NaT are null."""
    kinds = set(map(type, values))
    missing = {kind for kind in kinds if kind.__name__ in _NULLS}
    kinds -= missing
    if not kinds:
        return pb.Column(name=name)
    if missing:
        values = [None if type(value) in missing else value for value in values]
    if all(issubclass(kind, (list, tuple)) for kind in kinds):
        return _of_lists(name, values)
    if all(issubclass(kind, datetime) for kind in kinds):
        values, kinds = [_micros(name, i, value) for i, value in enumerate(values)], {datetime}
    kind = kinds.pop()
    if kinds or kind not in _EXACT:
        return _of_arrow(name, _inferred(name, values))
    type_name = _EXACT[kind]
    out = pb.Column(name=name, type=type_name)
    if missing:
        out.validity = _bits([value is not None for value in values])
        values = [_ZEROS[type_name] if value is None else value for value in values]
    field = getattr(out, f"{type_name}_values")
    try:
        field.extend(values)
    except (ValueError, OverflowError) as error:
        raise _refusal(name, values, field.append, error) from error
    return out


_NULLS = ("NoneType", "NAType", "NaTType")


def _of_lists(name: str, values: Sequence[Any]) -> pb.Column:
    try:
        out = _of_list(name, [element for value in values if value is not None for element in value])
    except InvalidRequest as error:
        raise _refusal(name, values, lambda value: _of_list(name, value or ()), error) from error
    if out.validity or (not out.type and any(values)):
        row = next(i for i, value in enumerate(values) if value and any(element is None for element in value))
        raise InvalidRequest(
            f"column {name!r}, row {row + 1}: an element of a list is null", ["leave it out"]
        )
    out.type = f"list<{out.type}>" if out.type else ""
    out.offsets.extend(accumulate((len(value or ()) for value in values), initial=0))
    if None in values:
        out.validity = _bits([value is not None for value in values])
    return out


def _micros(name: str, i: int, value: datetime | None) -> int | None:
    if value is None:
        return None
    if getattr(value, "nanosecond", 0):
        raise InvalidRequest(
            f"column {name!r}, row {i + 1}: {value} is finer than a microsecond", ["round it"]
        )
    return _columns.micros(value)


def _inferred(name: str, values: Sequence[Any]) -> pa.Array:
    """Returns values as an array, of a type that holds them all exactly."""
    import pyarrow as pa

    first = next(value for value in values if value is not None)
    for i, value in enumerate(values):
        if value is None or type(value) is type(first) or (_is_number(value) and _is_number(first)):
            continue
        what = f"a {type(value).__name__} among values of type {type(first).__name__}"
        raise InvalidRequest(f"column {name!r}, row {i + 1}: {what}", ["make all values one type"])
    try:
        return pa.array(values)
    except _ERRORS as error:
        raise _refusal(name, values, lambda value: pa.array([value]), error) from error


_ERRORS = (TypeError, ValueError, OverflowError, NotImplementedError)  # pyarrow's errors are of these, too


def _is_number(value: object) -> bool:
    return (
        hasattr(value, "__float__")
        and not isinstance(value, (bool, Decimal))
        and type(value).__name__ != "bool_"
    )


def _array(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    import pyarrow as pa

    try:
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            return values
        if hasattr(values, "__arrow_c_stream__"):
            return pa.chunked_array(values)
        if (
            hasattr(values, "__arrow_c_array__")
            or hasattr(values, "__arrow_array__")
            or hasattr(values, "dtype")
        ):
            return pa.array(values)
        return pa.array(values.__array__())
    except _ERRORS as error:
        raise InvalidRequest(
            f"column {name!r}: {error}", ["give one value per row, all of one type"]
        ) from error


def _of_arrow(name: str, array: pa.Array | pa.ChunkedArray) -> pb.Column:
    import pyarrow as pa

    from fstore._arrays import arrow_type

    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_null(array.type):
        return pb.Column(name=name)
    type_name = _wire_type(name, array.type)
    kind = arrow_type(type_name)
    if array.type != kind:
        array = _cast(name, array, kind)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of an old pyarrow
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], kind)
    out = pb.Column(name=name, type=type_name)
    if array.null_count:
        out.validity = _bits(array.is_valid().to_pylist())
    flat = array
    if pa.types.is_list(kind):
        flat = array.flatten()
        out.offsets.extend(
            accumulate((length or 0 for length in array.value_lengths().to_pylist()), initial=0)
        )
        if flat.null_count:
            row = next(i for i, value in enumerate(array.to_pylist()) if value and None in value)
            raise InvalidRequest(
                f"column {name!r}, row {row + 1}: an element of a list is null", ["leave it out"]
            )
    wire = _columns.kind_of(type_name)
    getattr(out, wire.field).extend(_listed(flat, wire))
    return out


def _listed(array: pa.Array, kind: _columns.Kind) -> list[Any]:
    """Returns the values of an array whose type is not a list. A null becomes the zero value of its type."""
    import pyarrow as pa

    if array.null_count:
        zero = _columns.EPOCH if kind.element == "timestamp" else _ZEROS[kind.element]
        array = array.fill_null(pa.scalar(zero, array.type))
    if not kind.code or not len(array):
        return list(array.to_pylist())
    start = array.offset * struct.calcsize(kind.code)
    return list(struct.unpack_from(f"<{len(array)}{kind.code}", array.buffers()[1], start))


def _wire_type(name: str, kind: pa.DataType) -> str:
    """Returns the type of the wire that holds each value of an Arrow type, if its values allow it."""
    import pyarrow as pa

    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list<{_wire_type(name, kind.value_type)}>"
    for type_name, tests in {
        "bool": ("is_boolean",),
        "int32": ("is_int32",),
        "int64": ("is_integer",),
        "float64": ("is_float64",),
        "float32": ("is_floating",),
        "string": ("is_string", "is_large_string", "is_string_view"),
        "bytes": ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view"),
        "timestamp": ("is_timestamp",),
    }.items():
        if any(getattr(types, test)(kind) for test in tests if hasattr(types, test)):
            return type_name
    hint = "convert it to one of bool, int32, int64, float32, float64, string, bytes, timestamp, or a list of them"
    raise InvalidRequest(f"column {name!r} is {kind}, which no key or request column can be", [hint])


def _cast(name: str, array: Any, kind: pa.DataType) -> Any:
    try:
        return array.cast(kind)
    except _ERRORS as error:
        raise _refusal(name, array, lambda value: value.cast(kind), error) from error


def _refusal(
    name: str, values: Iterable[Any], convert: Callable[[Any], object], error: Exception
) -> InvalidRequest:
    """Returns the error for a column that cannot be converted, with the first row that cannot."""
    for i, value in enumerate(values):
        if value is None:
            continue
        try:
            convert(value)
        except (*_ERRORS, AttributeError) as why:
            reason = why.message if isinstance(why, InvalidRequest) else str(why)
            shown = getattr(value, "as_py", lambda value=value: value)()
            return InvalidRequest(f"column {name!r}, row {i + 1}: {_short(shown)} cannot be sent: {reason}")
    return InvalidRequest(f"column {name!r}: {error}")


def _short(value: object) -> str:
    text = f"{value!r}"
    return text if len(text) <= 40 else text[:39] + "…"


def _bits(valid: Sequence[bool]) -> bytes:
    """Returns a bitmap with bit i%8 of byte i/8 for row i."""
    return _columns.to_bitmap(bytes(valid))
