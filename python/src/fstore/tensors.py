"""Columns as tensors of the Open Inference Protocol (V2), which KServe, Seldon and Triton speak."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fstore import _columns
from fstore.errors import InvalidRequest

_DATATYPES = {
    "bool": "BOOL",
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}


def tensor_of(column: Any, values: list[Any]) -> dict[str, Any]:
    """Returns a column of the wire, whose values were decoded, as a tensor.

    The protocol has no null: a null float is NaN, and any other null is refused. Lists become a second dimension.
    """
    kind = _columns.kind_of(column.type)
    refuse = _refusal(column.name, column.type)
    if kind.element not in _DATATYPES:
        raise refuse("is not a type of the Open Inference Protocol", "select features of other types")
    shape = [len(values)]
    if kind.is_list:
        sizes = {-1 if value is None else len(value) for value in values}
        if len(sizes) > 1 or -1 in sizes:
            raise refuse("has lists of different lengths, or nulls", "a tensor needs lists of one length")
        shape += sizes or {0}
        values = [element for value in values for element in value]
    if None in values:
        if not kind.element.startswith("float"):
            raise refuse(f"is null in row {values.index(None) + 1}", "give the feature a default")
        values = [math.nan if value is None else value for value in values]
    return {"name": column.name, "shape": shape, "datatype": _DATATYPES[kind.element], "data": values}


def _refusal(name: str, kind: str) -> Callable[[str, str], InvalidRequest]:
    return lambda what, hint: InvalidRequest(f"feature {name} ({kind}) {what}", [hint])
