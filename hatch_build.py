"""The build hook: compile the kernels at installation, where there is a compiler; install without them where not.

Runs for wheels and for `pip install -e .`. A wheel with a library is for this kind of machine; one without is for all.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelsHook(BuildHookInterface):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":  # sources are the same everywhere
            return
        # Loaded from its file: Phiforge's dependencies are not here yet.
        file = Path(self.root) / "phiforge" / "kernels" / "build.py"
        spec = importlib.util.spec_from_file_location("phiforge_kernels_build", file)
        assert spec is not None
        assert spec.loader is not None
        kernels = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(kernels)
        try:
            library = kernels.build()
        except (kernels.BuildFailed, OSError) as failed:
            print(f"Phiforge installs without its kernels and will be slower: {failed}", file=sys.stderr)
            # Else a library of other sources would travel along.
            kernels.LIBRARY.unlink(missing_ok=True)
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        if version == "standard":
            build_data["force_include"][str(library)] = f"phiforge/kernels/{library.name}"


def _platform() -> str:
    from packaging.tags import platform_tags

    # Past the manylinux tags, which promise an old libc that this build does not check.
    return next(tag for tag in platform_tags() if not tag.startswith(("manylinux", "musllinux")))
