"""The revision of the running code: its commit, and whether it was changed since."""

import os
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mistworks.errors


@dataclass(frozen=True, slots=True)
class CodeRevision:
    """The code that ran.

    Attributes:
        commit: git commit, or ``"unknown"`` outside a repository.
        dirty: whether tracked files differed from that commit.
        version: version of the installed package, or ``"unknown"``.
    """

    commit: str
    dirty: bool
    version: str


def code_revision() -> CodeRevision:
    """Return the revision of the installed package: of its own repository, never of one around it.

    Outside a repository it is taken from ``MISTWORKS_COMMIT``, which container images set.
    """
    source = Path(mistworks.errors.__file__).resolve()
    try:
        package = version("mistworks")
    except PackageNotFoundError:
        package = "unknown"
    # An installed copy inside someone else's repository is not tracked there.
    if _git(source.parent, "ls-files", "--error-unmatch", source.name) is None:
        return CodeRevision(os.environ.get("MISTWORKS_COMMIT") or "unknown", False, package)
    commit = _git(source.parent, "rev-parse", "HEAD") or "unknown"
    changes = _git(source.parent, "status", "--porcelain", "--untracked-files=no")
    return CodeRevision(commit, bool(changes), package)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails or is not installed."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


__all__ = ["CodeRevision", "code_revision"]
