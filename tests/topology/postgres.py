"""What the image of PostgreSQL does before its command: it initialises an empty data folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.topology.compose import Process

_DATA = "/var/lib/postgresql/data"
_SOCKETS = "/run/postgresql"
_USER = "postgres"


def binaries() -> str:
    """The folder of PostgreSQL's programs, which Debian keeps off the search path; empty if there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    if folders:
        return str(folders[-1])
    program = shutil.which("postgres")
    return str(Path(program).parent) if program else ""


def unprivileged(command: list[str]) -> list[str]:
    """A command as the user postgres where we are root, whom PostgreSQL refuses."""
    if os.getuid() != 0:
        return command
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", *command]


def initialise(process: Process, command: list[str], environment: Mapping[str, str]) -> list[str]:
    """Fill the data folder if it is empty, and return the command that serves it."""
    data, sockets = process.folders[_DATA], process.folders[_SOCKETS]
    if os.getuid() == 0:
        owner = pwd.getpwnam(_USER)
        for folder in (data, sockets):
            os.chown(folder, owner.pw_uid, owner.pw_gid)
    data.chmod(0o700)
    if not (data / "PG_VERSION").exists():
        with tempfile.NamedTemporaryFile("w") as password:
            password.write(environment["POSTGRES_PASSWORD"])
            password.flush()
            if os.getuid() == 0:
                os.chown(password.name, owner.pw_uid, owner.pw_gid)
            options = ["-D", str(data), "-A", "scram-sha-256", "-U", environment["POSTGRES_USER"]]
            subprocess.run(
                unprivileged(["initdb", *options, f"--pwfile={password.name}", "--no-sync"]),
                env=dict(environment),
                check=True,
                capture_output=True,
            )
    # Durability of test data is not worth its time.
    settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-k", str(sockets)]
    return unprivileged([*command, "-D", str(data), *settings])
