"""Tables of one screen say what they leave out, on every screen."""

from __future__ import annotations

import re

import pytest

from fstore import display

COLUMNS = [f"column_{i}" for i in range(30)]
ROWS = [[i * 30 + j for j in range(30)] for i in range(25)]


@pytest.mark.parametrize("screen", ["1", "40", "79", "80", "100", "200", "10000"])
@pytest.mark.parametrize("columns", [1, 2, 7, 8, 9, 20, 21, 30])
def test_every_column_is_shown_or_counted(screen: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", screen)
    title, head, *lines = display.text(
        "title", COLUMNS[:columns], [row[:columns] for row in ROWS]
    ).splitlines()
    assert title == "title"
    assert len(head) <= max(40, min(int(screen), 200))
    shown = head.split()
    assert shown == COLUMNS[: len(shown)]
    assert len(lines[0].split()) == len(shown)
    left_out = [re.match(r"… (\d+) more columns?: column_(\d+)", line) for line in lines]
    found = [(int(m[1]), int(m[2])) for m in left_out if m]
    assert found == ([(columns - len(shown), len(shown))] if len(shown) < columns else [])
    assert f"… {len(ROWS) - display.MAX_ROWS} more rows" in lines


@pytest.mark.parametrize("columns", [1, 20, 21, 30])
def test_html_shows_or_counts_every_column(columns: int) -> None:
    html = display.html("a <title>\nof two lines", COLUMNS[:columns], [row[:columns] for row in ROWS])
    assert len(re.findall("<th[ >]", html)) == min(columns, display.MAX_COLUMNS)
    assert (f"{columns - display.MAX_COLUMNS} more column" in html) == (columns > display.MAX_COLUMNS)
    assert "a &lt;title&gt;" in html
    assert "15 more rows" in html


def test_html_has_numbers_on_the_right_and_lines_of_the_title_apart() -> None:
    rows = [[1, "a", None, True, ""], [2.5, "b", 3, False, ""]]
    html = display.html("first\nsecond <b>", ["n", "t", "m", "b", "e"], rows)
    assert html.startswith("<div><p>first</p><p>second &lt;b&gt;</p><table>")
    sides = re.findall(r'<td style="text-align:(\w+)">', html)
    assert sides == ["right", "left", "right", "left", "left"] * 2
