"""The package as users install it: a wheel, and an environment that has it."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def build_wheel(folder: Path) -> Path:
    """A wheel of the tree, without compiled statistics."""
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", folder, "build", "--build-base"]
    command += [folder / "build", "bdist_wheel", "--bdist-dir", folder / "wheel", "--dist-dir", folder]
    environment = {**os.environ, "MISTWORKS_BUILDS": ""}
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def write_metadata(folder: Path) -> None:
    """What an installation records, entry points above all: first on the path, it counts before any other."""
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", folder]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)


def install(wheel: Path, environment: Path) -> Path:
    """A new environment with a wheel and everything that is installed here but Mistworks; its programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel]
    subprocess.run(command, check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Its .pth files do not count in a folder that a .pth file names, so that no editable Mistworks is seen.
    shared = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "shared.pth").write_text("\n".join(shared))
    return environment / "bin"
