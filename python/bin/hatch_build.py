"""Packs the command that `python/bin/build.sh` has built into a wheel for this platform."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class Metadata(MetadataHookInterface):
    """Fills in the version, which is fstore-sdk's."""

    def update(self, metadata: dict[str, Any]) -> None:
        spec = importlib.util.spec_from_file_location("sdk", Path(self.root).parent / "hatch_build.py")
        if spec is None or spec.loader is None:
            raise RuntimeError("fstore-bin is built in a clone of fstore only")
        sdk = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sdk)
        metadata["version"] = sdk.version()


class Wheel(BuildHookInterface[Any]):
    """Puts the command among the wheel's scripts, and names the platform that it is for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        built = Path(self.root, "build")
        if not (built / "fstore").exists():
            raise RuntimeError("there is no command to pack: run make wheel")
        build_data["shared_scripts"] = {str(built / "fstore"): "fstore"}
        build_data["tag"] = f"py3-none-{(built / 'platform').read_text().strip()}"
        build_data["pure_python"] = False
