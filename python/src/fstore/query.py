"""What a query over sources and views returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fstore import display
from fstore.results import Result

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from fstore.arrowio import DtypeBackend


class Rows(Result):
    """Rows of a query, in its order: `rows` has a dict for each. Instants are UTC.

    A value of a type that fstore does not have, such as a DECIMAL or a struct, is text. `more` says that there are more rows than
    the limit that was asked for.
    """

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each row as JSON has it: an instant is text, bytes are base64, and NaN and infinities are text ("NaN")."""
        return list(self["rows"])

    @property
    def types(self) -> dict[str, str]:
        """The columns in order: name → type of fstore."""
        return {c["name"]: c["type"] for c in self["columns"]}

    @property
    def more(self) -> bool:
        """Whether there are more rows than were asked for."""
        return bool(self["more"])

    def to_arrow(self) -> pa.Table:
        """Returns a pyarrow.Table of rows x columns."""
        from fstore import arrowio

        return arrowio.of_json(self["rows"], self.types)

    def to_pandas(self, dtype_backend: DtypeBackend | None = None) -> pd.DataFrame:
        """Returns a DataFrame of rows x columns. See `TrainingSet.to_pandas`."""
        from fstore import arrowio

        return arrowio.to_pandas(self.to_arrow(), dtype_backend)

    def to_polars(self) -> pl.DataFrame:
        """Returns a polars DataFrame of rows x columns."""
        from fstore import arrowio

        return arrowio.to_polars(self.to_arrow())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _shown(self) -> tuple[str, tuple[str, ...], list[list[object]], int]:
        n = len(self["rows"])
        title = display.count(n, "row") + (
            ", and there are more: the limit left them out" if self.more else ""
        )
        return title, tuple(self.types), [list(r.values()) for r in self["rows"][: display.MAX_ROWS]], n

    def __repr__(self) -> str:
        return display.text(*self._shown())

    def _repr_html_(self) -> str:
        return display.html(*self._shown())
