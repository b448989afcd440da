"""The compiled statistics: the sources of mistworks/native for three instruction sets, none of them needed.

A build that fails, for want of a compiler say, is reported and left out; the statistics then come from torch.
"""

import copy
import hashlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("mistworks/native")
SOURCES = sorted(NATIVE.glob("*.cpp"))
HEADERS = sorted(NATIVE.glob("*.h"))
FLAGS = ["-std=c++17", "-O3", "-g0", "-fvisibility=hidden", "-fopenmp-simd", "-pthread", "-w"]
# What lets loops be vectorised without changing what arithmetic is: never -ffast-math, which deletes the
# rounding in the exponential, nor -fno-signed-zeros.
FLAGS += ["-fno-math-errno", "-fno-trapping-math"]
SETS = {"baseline": []}
if platform.machine().lower() in {"x86_64", "amd64"}:
    SETS["avx2"] = ["-mavx2", "-mfma"]
    SETS["avx512"] = ["-march=skylake-avx512", "-mprefer-vector-width=512"]
# For tests and development: only some of them.
CHOSEN = os.environ.get("MISTWORKS_BUILDS", ",".join(SETS)).split(",")


class BuildNative(build_ext):
    """Objects of each instruction set in a folder of its own: the sources are the same."""

    def build_extension(self, ext: Extension) -> None:
        """Build one extension."""
        own = copy.copy(self)
        own.build_temp = str(Path(self.build_temp) / ext.name)
        build_ext.build_extension(own, ext)


def sources_hash() -> str:
    """What `mistworks.native.sources` says of the code that was compiled."""
    digest = hashlib.sha256()
    for path in SOURCES + HEADERS:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def extension(name: str, flags: list[str]) -> Extension:
    """The module mistworks.native._name."""
    options: dict[str, Any] = {"extra_compile_args": FLAGS + flags, "extra_link_args": ["-pthread"]}
    if sys.platform == "win32":
        # Vectors are an extension of GCC and Clang.
        options = {}
    return Extension(
        f"mistworks.native._{name}",
        sources=[str(path) for path in SOURCES],
        depends=[*(str(path) for path in HEADERS), "setup.py"],
        define_macros=[
            ("Py_LIMITED_API", "0x030B0000"),
            ("MISTWORKS_NAME", f"_{name}"),
            ("MISTWORKS_SOURCES", sources_hash()),
        ],
        language="c++",
        py_limited_api=True,
        optional=True,
        **options,
    )


setup(
    ext_modules=[extension(name, flags) for name, flags in SETS.items() if name in CHOSEN],
    cmdclass={"build_ext": BuildNative},
    options={"bdist_wheel": {"py_limited_api": "cp311"}, "build_ext": {"parallel": True}},
)
