"""Progress of a command, through tqdm.auto if tqdm is installed."""

from __future__ import annotations

import warnings
from typing import Any


class Bar:
    """A bar for one command: `show` it how far the command is, and `close` it.

    `wanted` is True or False, or None for a bar in a notebook or on a terminal only. Without tqdm there is none.
    """

    def __init__(self, name: str, wanted: bool | None = None) -> None:
        self.name = name
        self.wanted = wanted
        self._bar: Any = None

    def show(self, stage: str, done: int, total: int) -> None:
        """Shows that `done` of `total` is done of a stage; a total of 0 is unknown."""
        if self.wanted is False:
            return
        if self._bar is None:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter(
                        "ignore"
                    )  # tqdm warns where notebooks lack ipywidgets, and then shows text
                    from tqdm.auto import tqdm
            except ImportError:
                self.wanted = False
                return
            disable = None if self.wanted is None else not self.wanted
            self._bar = tqdm(
                desc=self.name,
                disable=disable,
                leave=False,
                bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}",
            )
        bar = self._bar
        if bar.disable:
            return
        bar.total, bar.n = (total or None), done
        bar.set_description_str(f"{self.name}: {stage}")

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
