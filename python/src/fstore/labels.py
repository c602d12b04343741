"""Labels as the command takes them: a file, or a query. Frames become a file that is named by its digest."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fstore.arrowio import reader_of
from fstore.errors import InvalidRequest

_QUERY = re.compile(r"\s*(select|with|from)\b", re.IGNORECASE)

GROUP_ROWS = 122_880
"""Rows of a row group. It is fixed, so that the same labels give the same bytes however they arrive."""


def arguments(labels: Any, folder: Path) -> list[str]:
    """Returns the flags that give labels to the command; frames are written below `folder`."""
    if isinstance(labels, str):
        return _text(labels)
    if isinstance(labels, os.PathLike):
        path = os.fspath(labels)
        return _query_file(path) if _ending(path) == ".sql" else ["--labels", path]
    return ["--labels", str(write(labels, folder))]


def _text(text: str) -> list[str]:
    is_query, is_file = _QUERY.match(text) is not None, "\n" not in text and os.path.exists(text)
    if is_query and is_file:
        raise InvalidRequest(
            f"labels={text!r} is a file, and reads like a query", ["pass pathlib.Path(…) for the file"]
        )
    if is_query:
        return ["--labels-sql", text]
    if _ending(text) == ".sql":
        return _query_file(text)
    if not is_file:
        raise InvalidRequest(
            f"labels={text!r}: there is no such file, and a query begins with select, with or from",
            ["pass a frame, the path of a Parquet or CSV file, or a query"],
        )
    return ["--labels", text]


def _ending(path: str | os.PathLike[str]) -> str:
    """Returns the ending of a label file, which says its kind: ".parquet", ".sql" and so on, in lower case."""
    return Path(path).suffix.lower()


def _query_file(path: str) -> list[str]:
    """Returns the flags for a file with a query. The command knows one by an ending in lower case; of another, it gets the text."""
    return ["--labels-sql", path if path.endswith(".sql") else _read(path)]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as e:
        raise InvalidRequest(f"labels: {path}: {e.strerror or e}") from e


def has_types(labels: Any) -> bool:
    """Reports whether the columns of labels have types of their own: those of a frame or a Parquet file."""
    return not isinstance(labels, str | os.PathLike) or _ending(labels) == ".parquet"


def query(labels: Any) -> str | None:
    """Returns the SQL that labels are, or are the file of; None for any other labels."""
    if not isinstance(labels, str | os.PathLike):
        return None
    flag, text = arguments(labels, Path())
    if flag != "--labels-sql":
        return None
    return _read(text) if text.endswith(".sql") else text


def batches(labels: Any) -> tuple[Any, Iterator[Any]]:
    """Returns the schema and the record batches of labels: of a frame, or of a Parquet file."""
    reader = _file(Path(labels)) if isinstance(labels, str | os.PathLike) else stream(labels)
    schema = _plain_schema(reader.schema)
    return schema, _plain_batches(reader, schema)


def _file(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if _ending(path) != ".parquet":
        raise InvalidRequest(
            f"labels={os.fspath(path)!r} is not a Parquet file",
            ["read it into a frame and pass that: its types are then yours to choose"],
        )
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as e:
        raise InvalidRequest(f"labels: {os.fspath(path)}: {e}") from e
    return pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())


def _plain_batches(reader: Any, schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    for batch in reader:
        yield from pa.Table.from_batches([batch]).cast(schema).to_batches()


def write(labels: Any, folder: Path) -> Path:
    """Writes labels as Parquet to folder/<SHA-256 of the file>.parquet, unless that exists, and returns the path.

    The rows stream: no more than a row group is held. The bytes depend on the rows and on the version of pyarrow only.
    """
    import pyarrow.parquet as pq

    reader = stream(labels)
    schema = _plain_schema(reader.schema)
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".writing-", suffix=".parquet")
    os.close(handle)
    temporary = Path(name)
    try:
        with pq.ParquetWriter(temporary, schema, compression="snappy", store_schema=False) as writer:
            for table in _groups(reader, schema):
                writer.write_table(table, row_group_size=GROUP_ROWS)
        digest = hashlib.sha256()
        with temporary.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        path = folder / f"{digest.hexdigest()}.parquet"
        if not path.exists() or path.stat().st_size != temporary.stat().st_size:
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        return path
    finally:
        temporary.unlink(missing_ok=True)


def _groups(reader: Any, schema: Any) -> Iterator[Any]:
    """Yields tables of GROUP_ROWS rows, the last one smaller, each column in one chunk."""
    import pyarrow as pa

    held: list[Any] = []
    rows = 0
    for batch in reader:
        held.append(pa.Table.from_batches([batch]).cast(schema))
        rows += batch.num_rows
        while rows >= GROUP_ROWS:
            table = pa.concat_tables(held)
            yield table.slice(0, GROUP_ROWS).combine_chunks()
            held = [table.slice(GROUP_ROWS)]
            rows = held[0].num_rows
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def stream(labels: Any) -> Any:
    """Returns labels as a pyarrow.RecordBatchReader: a frame of any library, a dict of columns, or an Arrow stream."""
    if hasattr(labels, "collect") and hasattr(labels, "collect_schema") and not hasattr(labels, "to_arrow"):
        labels = labels.collect()  # a LazyFrame of polars
    import pyarrow as pa

    if isinstance(labels, dict):
        try:
            labels = pa.table(labels)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as e:
            raise InvalidRequest(f"labels: {e}", ["give every column as many values, all of one type"]) from e
    try:
        return reader_of(labels)
    except InvalidRequest as e:
        raise InvalidRequest(f"labels: {e.message}", e.hints) from e
    except pa.ArrowInvalid as e:  # such as a Series: a stream of values without columns
        raise InvalidRequest(f"labels: {e}", ["pass a frame, which has columns"]) from e


def _plain_schema(schema: Any) -> Any:
    """Returns a schema with the plain form of every type, so that the same rows from any library give the same file."""
    import pyarrow as pa

    names = [f.name for f in schema]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(f"labels: there are two columns {name}", ["rename one of them"])
    return pa.schema([pa.field(f.name, _plain(f.type)) for f in schema])


def _plain(t: Any) -> Any:
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_dictionary(t):
        return _plain(t.value_type)
    if pt.is_large_string(t) or getattr(pt, "is_string_view", lambda _: False)(t):
        return pa.string()
    if pt.is_large_binary(t) or getattr(pt, "is_binary_view", lambda _: False)(t):
        return pa.binary()
    if pt.is_list(t) or pt.is_large_list(t) or pt.is_fixed_size_list(t):
        return pa.list_(_plain(t.value_type))
    if pt.is_null(t):
        return pa.int32()  # Parquet has no column without a type
    if isinstance(t, pa.ExtensionType):
        return _plain(t.storage_type)
    return t
