"""What the commands of a repo return: the JSON of the command, with a short text and a table for notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from fstore import display

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from fstore.arrowio import DtypeBackend


class Result(Mapping[str, Any]):
    """The JSON of a command, as `fstore COMMAND --output json` prints it (docs/commands/schema), to read by key."""

    columns: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = dict(data)

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON as a dict."""
        return dict(self._data)

    def _title(self) -> str:
        return type(self).__name__

    def _rows(self) -> list[list[object]]:
        return []

    def __repr__(self) -> str:
        rows = self._rows()
        return display.text(self._title(), self.columns if rows else (), rows)

    def _repr_html_(self) -> str:
        rows = self._rows()
        return display.html(self._title(), self.columns if rows else (), rows)


def ref(view: Mapping[str, Any]) -> str:
    """Returns "customer_orders@3" for the name and version of a view."""
    return f"{view['name']}@{view['version']}"


class Validated(Result):
    """What `Repo.validate` found: the definitions are right. Their warnings are in `warnings`."""

    columns = ("where", "warning")

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """Each with its message and position."""
        return list(self.get("warnings", ()))

    def _title(self) -> str:
        n = len(self.warnings)
        return "The definitions are valid" + (f", with {display.count(n, 'warning')}." if n else ".")

    def _rows(self) -> list[list[object]]:
        return [[display.place(w.get("position")), w["message"]] for w in self.warnings]


class Plan(Result):
    """What `Repo.apply` would change."""

    columns = ("action", "kind", "name", "version", "fields")

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Every definition that is added, modified or removed."""
        return list(self["changes"])

    @property
    def empty(self) -> bool:
        """Whether the registry is as the definitions say already."""
        return not self.changes

    @property
    def breaking(self) -> list[str]:
        """What would break callers of a serving service, one line each."""
        out = [f"{name} becomes unknown: requests with it are refused" for name in self.get("forgotten", ())]
        for s in self.get("services", ()):
            if not s.get("to"):
                out.append(f"service {s['service']} is removed")
            out += [
                f"service {s['service']}: {_change(c)}" for c in s.get("changes", ()) if c.get("breaking")
            ]
        return out

    @property
    def to_materialize(self) -> list[str]:
        """The view versions that must be materialized before they serve, such as "customer_orders@3"."""
        return [ref(v) for v in self.get("materialize", ())]

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """Each with its message and position."""
        return list(self.get("warnings", ()))

    def _title(self) -> str:
        said = [f"\nwarning: {display.place(w.get('position'))}: {w['message']}" for w in self.warnings[:5]]
        return self._counts() + "".join(said)

    def _counts(self) -> str:
        if self.empty:
            return f"No changes: project {self['project']} is as defined (revision {self['revision']})."
        n = {a: sum(c["action"] == a for c in self.changes) for a in ("add", "change", "remove")}
        text = f"Plan for project {self['project']}: {n['add']} to add, {n['change']} to change, {n['remove']} to remove."
        return text + "".join(f"\n! {line}" for line in self.breaking)

    def _rows(self) -> list[list[object]]:
        return [_change_row(c) for c in self.changes]


class Applied(Result):
    """What `Repo.apply` did: the commit, and what serves now."""

    columns = Plan.columns

    @property
    def plan(self) -> Plan:
        """What was applied."""
        return Plan(self["plan"])

    @property
    def commit(self) -> int | None:
        """The number of the commit; None if there was nothing to apply."""
        commit = self["commit"]
        return None if commit is None else int(commit["id"])

    def _title(self) -> str:
        if self.commit is None:
            return self.plan._title()
        message = f": {self['commit']['message']}" if self["commit"].get("message") else ""
        return f"Applied as commit {self.commit}{message}."

    def _rows(self) -> list[list[object]]:
        return self.plan._rows() if self.commit is not None else []


class Pin(Result):
    """What `Repo.pin_model` pinned: the features that a version of a model keeps, and the view versions that they come from."""

    columns = ("feature", "type", "from")

    @property
    def features(self) -> list[str]:
        """The features, in the order of an answer."""
        return [f["name"] for f in self["outputs"]]

    def _title(self) -> str:
        source = f" of training set {self['training_set']}" if "training_set" in self else ""
        return f"Model {ref(self['model'])} keeps {display.count(len(self.features), 'feature')}{source}."

    def _rows(self) -> list[list[object]]:
        features = self.get("interface", {}).get("features", ())
        return [[f["name"], f["type"], f"{ref(f['view'])}.{f['feature']}"] for f in features]


class Table(list[dict[str, Any]]):
    """A list of dicts that shows as a table: the training sets of a repo, its models, or what materialize did."""

    def __init__(self, title: str, columns: Mapping[str, str], rows: Any) -> None:
        super().__init__(rows)
        self._title = title
        self._columns = dict(columns)

    def _cells(self) -> list[list[object]]:
        return [[_shown(row.get(key, "")) for key in self._columns.values()] for row in self]

    def __repr__(self) -> str:
        return display.text(self._title, tuple(self._columns) if self else (), self._cells())

    def _repr_html_(self) -> str:
        return display.html(self._title, tuple(self._columns) if self else (), self._cells())


class Diagnosis(Result):
    """What `Repo.doctor` found, check by check. `ok` is False if something needs repair."""

    columns = ("status", "check", "message", "what to do")

    @property
    def ok(self) -> bool:
        """Whether nothing needs repair."""
        return bool(self["ok"])

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Each with its status (ok, warning or failed), message and hint."""
        return list(self["checks"])

    def _title(self) -> str:
        return "The set-up is fine." if self.ok else "Something needs repair."

    def __repr__(self) -> str:
        lines = [self._title()]
        for c in self.checks:
            lines.append(f"{c['status']:7}  {c['name']:16}  {c['message']}")
            lines += [f"{'':27}{c['hint']}"] if c.get("hint") else []
        return "\n".join(lines)

    def _rows(self) -> list[list[object]]:
        return [[c["status"], c["name"], c["message"], c.get("hint", "")] for c in self.checks]


class Freshness(Result):
    """What `Repo.freshness` found, view by view. `ok` is False if a view is late or not published."""

    columns = ("view", "state", "published", "newest event", "due")

    @property
    def ok(self) -> bool:
        """Whether no view is late or not published."""
        return bool(self["ok"])

    @property
    def views(self) -> list[dict[str, Any]]:
        """Each with its view and state ("fresh", "late", "not_published" or "no_schedule"), and where there are such: the instants
        published, max_event and due, and age_seconds and late_seconds.
        """
        return list(self["views"])

    def _title(self) -> str:
        return "The online store is fresh." if self.ok else "Some views are late or not published."

    def _rows(self) -> list[list[object]]:
        return [
            [f"{v['view']['name']}@{v['view']['version']}", v["state"]]
            + [v.get(k, "") for k in ("published", "max_event", "due")]
            for v in self.views
        ]


class Checks(Result):
    """What `Repo.check` found. `ok` is False if an expectation of severity "error" failed."""

    columns = ("of", "expectation", "severity", "outcome", "checked", "bad", "message")

    @property
    def ok(self) -> bool:
        """Whether no expectation of severity "error" failed."""
        return bool(self["ok"])

    @property
    def results(self) -> list[dict[str, Any]]:
        """A dict for each expectation, as `pandas.DataFrame` or `polars.DataFrame` takes them: `of` ("customer_orders@3" or "source
        lines"), `at`, `expectation`, `check`, `column`, `severity`, `outcome` ("passed", "failed" or "skipped"), `rows`, `checked`,
        `bad`, `observed` and `message`; None where there is none.
        """
        keys = ("expectation", "check", "column", "severity", "outcome", "rows", "checked", "bad")
        return [
            {
                "of": ref(c) if "version" in c else f"{c['kind']} {c['name']}",
                "at": c["at"],
                **{key: r.get(key) for key in (*keys, "observed", "message")},
            }
            for c in self["checks"]
            for r in c["results"]
        ]

    def _title(self) -> str:
        failed = sum(r["outcome"] == "failed" for r in self.results)
        if not failed:
            return "No expectation failed."
        return f"{display.count(failed, 'expectation')} failed."

    def _rows(self) -> list[list[object]]:
        return [[r[key] if r[key] is not None else "" for key in self.columns] for r in self.results]


class Drift(Result):
    """What `Repo.drift` found, feature by feature. `drifted` is True if more features drifted than the limit allows."""

    columns = ("feature", "verdict", "reason")

    @property
    def drifted(self) -> bool:
        """Whether the set has drifted."""
        return bool(self["verdict"] == "drifted")

    @property
    def features(self) -> list[dict[str, Any]]:
        """Each with its name, verdict ("drifted", "stable", "too_few" or "not_compared"), reason, checks and counts."""
        return list(self["features"])

    def to_pandas(self) -> pd.DataFrame:
        """Returns a DataFrame with a row for each feature: its verdict, and a column for each score, NaN where there is none."""
        import pandas as pd

        rows = [
            {"feature": f["name"], "verdict": f["verdict"]} | {c["name"]: c["value"] for c in f["checks"]}
            for f in self.features
        ]
        return pd.DataFrame(rows)

    def _title(self) -> str:
        counts = self["counts"]
        return f"{counts['drifted']} of {display.count(counts['drifted'] + counts['stable'], 'judged feature')} drifted."

    def _rows(self) -> list[list[object]]:
        return [[f["name"], f["verdict"].replace("_", " "), f["reason"]] for f in self.features]


class Verified(Result):
    """What `TrainingSet.verify` found."""

    columns = ("check", "result", "what")

    @property
    def ok(self) -> bool:
        """Whether it matches its lock."""
        return bool(self["ok"])

    def _title(self) -> str:
        return f"Training set {self['name']} {'matches' if self.ok else 'does not match'} its lock."

    def _rows(self) -> list[list[object]]:
        same = sum(i["state"] == "unchanged" for i in self["inputs"])
        rows: list[list[object]] = [["inputs", f"{same} of {len(self['inputs'])} files unchanged", ""]]
        rows += [["", i["state"], i["path"]] for i in self["inputs"] if i["state"] != "unchanged"]
        rows.append(["file", self["file"]["state"], self["file"]["path"]])
        if r := self.get("rebuild"):
            rows.append(["rebuild", "same" if r.get("same") else "different", ""])
            rows += [["", c["name"], c["what"]] for c in r.get("columns", ())]
        if self.get("problem"):
            rows.append(["rebuild", "impossible", self["problem"]])
        return rows


class Difference(Result):
    """What differs between two training sets."""

    columns = ("what", "name", "old", "new")

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return bool(self["same"])

    def _title(self) -> str:
        return f"{self['old']} and {self['new']} " + ("do not differ." if self.same else "differ.")

    def _rows(self) -> list[list[object]]:
        rows: list[list[object]] = []
        for v in self["definitions"]:
            rows.append(["definition", v["view"], v.get("old", "-"), v.get("new", "-")])
        for what, key in (
            ("made", "about"),
            ("setting", "settings"),
            ("labels", "labels"),
            ("feature", "features"),
        ):
            rows += [[what, d["name"], d["old"], d["new"]] for d in self[key]]
        rows += [["input", i.get("source", "labels"), i["change"], i["path"]] for i in self["inputs"]]
        return rows + [["column", c["name"], "", c["what"]] for c in self["columns"]]


class Features:
    """Labels with their features: rows x (label columns as they were given, then features), row i for label i.

    `Repo.features`, `Client.features` and `score_batch` return them; `score_batch` adds columns of predictions at the end.
    """

    def __init__(self, table: pa.Table, features: list[str]) -> None:
        self._table = table
        self.features = features
        """The columns that are features, in their order."""

    @classmethod
    def read(cls, file: Any, described: list[dict[str, Any]], given: bool) -> Features:
        """Returns the rows of a Parquet file, with the features that the command describes. `given`: see `arrowio.in_utc`."""
        import pyarrow.parquet as pq

        from fstore import arrowio

        table = pq.ParquetFile(file).read()
        schema = arrowio.in_utc(table.schema, described, given)
        return cls(table.replace_schema_metadata(None).cast(schema), [f["name"] for f in described])

    @property
    def rows(self) -> int:
        """The number of rows: that of the labels."""
        return int(self._table.num_rows)

    def to_arrow(self) -> pa.Table:
        """Returns a pyarrow.Table of rows x columns."""
        return self._table

    def to_pandas(self, dtype_backend: DtypeBackend | None = None) -> pd.DataFrame:
        """Returns a DataFrame. int64 with nulls stays exact; see `fstore.arrowio.to_pandas` for `dtype_backend`."""
        from fstore import arrowio

        return arrowio.to_pandas(self._table, dtype_backend)

    def to_polars(self) -> pl.DataFrame:
        """Returns a polars DataFrame of rows x columns."""
        from fstore import arrowio

        return arrowio.to_polars(self._table)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.rows

    def _shown(self) -> tuple[str, tuple[str, ...], list[list[object]], int]:
        head = self._table.slice(0, display.MAX_ROWS).to_pylist()
        title = f"{display.count(self.rows, 'row')}, {display.count(self._table.num_columns, 'column')}"
        return title, tuple(self._table.column_names), [list(r.values()) for r in head], self.rows

    def __repr__(self) -> str:
        return display.text(*self._shown())

    def _repr_html_(self) -> str:
        return display.html(*self._shown())


def _change(c: Mapping[str, Any]) -> str:
    """Returns how one part of a service changes, as `fstore plan` says it."""
    part, name, old, new = c["part"], c["name"], c.get("old", ""), c.get("new", "")
    if not old:
        return (
            f"output {name} ({new}) is added"
            if part == "output"
            else f"callers must also send {part} {name} ({new})"
        )
    if not new:
        return f"{part} {name} ({old}) is removed"
    return f"{part} {name} changes from {old} to {new}"


def _change_row(c: Mapping[str, Any]) -> list[object]:
    fields = ", ".join(f["field"] for f in c.get("fields", ()))
    version = " → ".join(f"@{c[k]}" for k in ("from", "to") if c.get(k))
    return [c["action"], c["kind"], c["name"], version, fields]


def _shown(value: object) -> object:
    if isinstance(value, Mapping) and {"name", "version"} <= set(value):
        return ref(value)
    if isinstance(value, list):
        return ", ".join(str(_shown(v)) for v in value)
    return value
