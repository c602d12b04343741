"""Tables of one screen, for __repr__ and for notebooks."""

from __future__ import annotations

import html as _html
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

MAX_ROWS = 10
MAX_COLUMNS = 20
_WIDTH = 100  # when the output is not a terminal
_LEAST, _MOST = 40, 200
_CELL = 32

Rows = Sequence[Sequence[object]]


def text(title: str, columns: Sequence[str], rows: Rows, total: int | None = None) -> str:
    """Returns a title line and a table of at most MAX_ROWS rows that is as wide as the terminal, and says what it left out.

    `total` is the number of rows that there are, if `rows` are only the first.
    """
    total = len(rows) if total is None else total
    cells = [[cell(value) for value in row] for row in rows[:MAX_ROWS]]
    widths = [
        max(map(len, [name, *(row[i] for row in cells)])) for i, name in enumerate(columns[:MAX_COLUMNS])
    ]
    shown = _fitting(widths)
    lines = [title]
    for line in [list(columns), *cells] if columns else []:
        lines.append("  ".join(line[i].ljust(widths[i]) for i in range(shown)).rstrip())
    return "\n".join([*lines, *_left_out(total - len(cells), [str(c) for c in columns[shown:]])])


def html(title: str, columns: Sequence[str], rows: Rows, total: int | None = None) -> str:
    """Returns the same as `text` as HTML, escaped and without scripts: numbers to the right, everything else to the left."""
    total = len(rows) if total is None else total
    shown, rows = columns[:MAX_COLUMNS], rows[:MAX_ROWS]
    notes = _left_out(total - len(rows), list(columns[len(shown) :]))
    table = ""
    if columns:
        sides = [_side([row[i] for row in rows]) for i in range(len(shown))]
        head = _line("th", shown, sides)
        body = "".join(_line("td", [cell(value) for value in row], sides) for row in rows)
        table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return f"<div>{_paragraphs(title.splitlines())}{table}{_paragraphs(notes)}</div>"


def _paragraphs(lines: Sequence[str]) -> str:
    return "".join(f"<p>{_html.escape(line)}</p>" for line in lines)


def _line(tag: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    parts = zip(cells, sides, strict=False)  # a row may have more cells than are shown
    return (
        "<tr>"
        + "".join(f'<{tag} style="text-align:{side}">{_html.escape(c)}</{tag}>' for c, side in parts)
        + "</tr>"
    )


def _side(values: Sequence[object]) -> str:
    """Returns how a column is aligned; notebooks align everything right by default."""
    given = [v for v in values if v not in (None, "")]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in given)
    return "right" if given and numbers else "left"


def cell(value: object) -> str:
    """Returns a value as a cell: short, on one line. None is "null"."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return f"{value:.6g}"
    line = " ".join(str(value).split())
    return line if len(line) <= _CELL else line[: _CELL - 1] + "…"


def place(position: Mapping[str, Any] | None) -> str:
    """Returns where something is in a definition: "customer.yaml:14:5", or "" if that is unknown."""
    return ":".join(str(position[k]) for k in ("file", "line", "col") if position.get(k)) if position else ""


def count(n: int, noun: str) -> str:
    """Returns "1 row", "2 rows", "12,000 rows"."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _fitting(widths: Sequence[int]) -> int:
    """Returns how many columns fit on the screen; at least one."""
    screen = min(max(shutil.get_terminal_size((_WIDTH, 0)).columns, _LEAST), _MOST)
    used = 0
    for i, width in enumerate(widths):
        used += width + 2
        if used - 2 > screen and i > 0:
            return i
    return len(widths)


def _left_out(rows: int, columns: Sequence[str]) -> list[str]:
    notes = []
    if rows > 0:
        notes.append(f"… {count(rows, 'more row')}")
    if columns:
        names = ", ".join(columns[:5]) + (", …" if len(columns) > 5 else "")
        notes.append(f"… {count(len(columns), 'more column')}: {names}")
    return notes
