"""The version of the installed distribution, which is the one of fstore that it was built from."""

from importlib.metadata import version

__version__ = version("fstore-sdk")
