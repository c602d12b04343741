"""Writes what a Feast repo has registered as one JSON object to stdout.

fstore init --from-feast runs this with the Python that has Feast: python - REPO. It states facts; what becomes of them is
decided in Go. Whatever Feast itself prints goes to stderr.
"""

import json
import os
import sys

out = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

try:
    import feast
except ImportError as e:
    sys.exit(f"this Python has no feast: {e}")


def text(value):
    """Returns a text, also of a type or an enum."""
    return value if isinstance(value, str) else getattr(value, "name", None) or type(value).__name__


def fields(columns):
    """Returns names, types and descriptions of fields."""
    return [
        {"name": f.name, "type": f.dtype.to_value_type().name, "description": getattr(f, "description", "") or ""}
        for f in columns
    ]


def about(thing):
    """Returns what people say of an object."""
    return {
        "name": thing.name,
        "description": getattr(thing, "description", "") or "",
        "owner": getattr(thing, "owner", "") or "",
        "tags": {str(k): str(v) for k, v in (getattr(thing, "tags", None) or {}).items()},
    }


def source(s):
    """Returns a source; for one that is pushed or streamed, its batch source."""
    through = ""
    while getattr(s, "batch_source", None) is not None:
        through, s = type(s).__name__, s.batch_source
    return {
        "name": s.name or "",
        "kind": type(s).__name__,
        "through": through,
        "path": str(getattr(s, "path", "") or ""),
        "format": type(getattr(s, "file_format", None)).__name__,
        "event": s.timestamp_field or "",
        "created": getattr(s, "created_timestamp_column", "") or "",
        "rename": dict(getattr(s, "field_mapping", None) or {}),
    }


def view(v):
    """Returns a feature view of any kind that has a source."""
    ttl = getattr(v, "ttl", None)
    base = getattr(v, "batch_source", None) or getattr(v, "source", None)
    through = getattr(v, "stream_source", None) or base
    described = source(through) if base is None else source(base)
    if through is not None and through is not base:
        described["through"] = type(through).__name__
    return {
        **about(v),
        "kind": type(v).__name__,
        "entities": [e for e in v.entities if e != "__dummy"],
        "ttl_seconds": ttl.total_seconds() if ttl else 0,
        "online": bool(getattr(v, "online", True)),
        "keys": [k for k in fields(v.entity_columns) if k["name"] != "__dummy_id"],
        "features": fields(v.features),
        "transformed": bool(getattr(v, "feature_transformation", None) or getattr(v, "aggregations", None)),
        "source": described,
    }


def service(s):
    """Returns a feature service."""
    return {
        **about(s),
        "features": [
            {
                "view": p.name,
                "alias": p.name_alias or "",
                "features": [f.name for f in p.features],
                "keys": dict(p.join_key_map or {}),
            }
            for p in s.feature_view_projections
        ],
    }


repo = os.path.abspath(sys.argv[1])
os.chdir(repo)
store = feast.FeatureStore(repo_path=repo)
views = [*store.list_batch_feature_views(), *store.list_stream_feature_views()]
if hasattr(store, "list_label_views"):
    views += store.list_label_views()
known = {}
for v in views:
    known.setdefault(v.name, v)
json.dump(
    {
        "feast": feast.__version__,
        "repo": repo,
        "project": store.project,
        "entities": [
            {**about(e), "key": e.join_key, "type": text(e.value_type)} for e in store.list_entities() if e.name != "__dummy"
        ],
        "views": [view(v) for v in known.values()],
        "on_demand": [v.name for v in store.list_on_demand_feature_views()],
        "services": [service(s) for s in store.list_feature_services()],
    },
    out,
)
out.close()
