"""What it means if no server answers."""

from __future__ import annotations

from fstore.errors import Error


def explain(error: Error, address: str, tls: bool) -> Error:
    """Returns an error that says why no server answers, if that is so; else the same error."""
    return error
