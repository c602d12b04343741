"""The version of both distributions; one place says it."""

__version__ = "0.1.0.dev0"
