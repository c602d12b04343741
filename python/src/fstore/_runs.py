"""What a run of an experiment tracker is told about a training set. Each tracker puts it in its own form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fstore.training import TrainingSet

SHORT = 32
"""Hex digits of a digest where a tracker has no room for 64: 128 bits."""

MOST_PROFILE = 4 << 20
"""Characters of a profile. Beyond, histograms are left out; the lock has them."""


def tags(of: TrainingSet, context: str = "training") -> dict[str, str]:
    """Returns the tags of a run that uses a training set in a context."""
    registry = of.lock["registry"]
    out = {
        f"fstore.{'training' if context == 'training' else context}_set": f"{of.name}@{of.digest[:SHORT]}",
        "fstore.project": registry["project"],
        "fstore.revision": str(registry["revision"]),
    }
    if of.service:
        out["fstore.service"] = of.service
    if registry.get("git_revision"):
        out["fstore.git_revision"] = registry["git_revision"] + ("-dirty" if registry.get("dirty") else "")
    return out


def lock_artifact(context: str = "training") -> str:
    """Returns the path of the lock among a run's artifacts."""
    return f"fstore/{'training' if context == 'training' else context}_set.lock.json"


def profile(of: TrainingSet) -> dict[str, Any]:
    """Returns rows, digests and the statistics of every column, from the lock."""
    out = {
        "rows": of.rows,
        "digest": of.digest,
        "lock": of.lock["digest"],
        "features": len(of.features),
        "columns": {c["name"]: {"type": c["type"], **c["statistics"]} for c in of.lock["output"]["columns"]},
    }
    if len(json.dumps(out)) > MOST_PROFILE:
        for statistics in out["columns"].values():
            for part in ("histogram", "age", "norm", "centroid", "cosine"):
                statistics.pop(part, None)
    return out


_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "datetime",
    "TIMESTAMP": "datetime",
    "TIMESTAMP WITH TIME ZONE": "datetime",
}


def columns(of: TrainingSet) -> list[dict[str, Any]]:
    """Returns the columns as MLflow writes a schema. Columns of types that MLflow does not have are left out."""
    out = []
    for c in of.lock["output"]["columns"]:
        if spec := _type(c["type"]):
            out.append({**spec, "name": c["name"], "required": not c["statistics"]["nulls"]})
    return out


def _type(duckdb: str) -> Mapping[str, Any] | None:
    if duckdb.endswith("[]"):
        items = _type(duckdb[:-2])
        return {"type": "array", "items": items} if items else None
    name = _TYPES.get(duckdb)
    return {"type": name} if name else None
