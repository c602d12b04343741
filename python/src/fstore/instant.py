"""Instants as callers give them."""

from __future__ import annotations

from datetime import date, datetime, timezone

Instant = datetime | date | str
"""An instant: a datetime (without a zone it is UTC), a date (midnight UTC), or text such as "2025-12-01T06:00:00Z"."""


def instant(at: Instant | None) -> str | None:
    """Returns an instant as the command reads it; to the microsecond."""
    if isinstance(at, datetime):
        at = at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return at.isoformat() if isinstance(at, date) else at
