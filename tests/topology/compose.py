"""What docker-compose.yml says, translated to processes of this machine."""

import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.topology.ports import free_ports

REPOSITORY = Path(__file__).parents[2]
COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
SECURE_FILE = REPOSITORY / "docker-compose.secure.yml"
LOOPBACK = "127.0.0.1"
# Set to random values for each topology.
SECRETS = ("POSTGRES_PASSWORD", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class Process:
    """One process, or one of several replicas, of a service.

    Attributes:
        name: of the service, with a number where it has replicas.
        service: the name in the compose file.
        command: with its arguments.
        environment: what the compose file sets, and nothing of this process's own.
        check: a command that succeeds while the service is healthy, if it has one.
        needs: services that must be in a condition first.
        stop_signal: such as ``SIGTERM``.
        ports: by the number in the compose file, the port on loopback.
        folders: by the path in the container, the folder here.
        files: what must be in files here before the command starts.
    """

    name: str
    service: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    check: tuple[str, ...] | None
    needs: Mapping[str, str]
    stop_signal: str
    ports: Mapping[int, int]
    folders: Mapping[str, Path]
    files: Mapping[Path, str]

    @property
    def runs_once(self) -> bool:
        """Whether the service is done when its command ends."""
        return self.check is None


def random_secrets(names: Iterable[str] = SECRETS) -> dict[str, str]:
    """A new value for every secret that the compose file asks for."""
    return {name: secrets.token_hex(12) for name in names}


def parse(files: Sequence[Path], values: Mapping[str, str]) -> dict[str, Any]:
    """What compose files say together, as Docker Compose itself reads them.

    Raises:
        subprocess.CalledProcessError: the files are not valid, or a value is not set.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()))
        file.flush()
        arguments = [argument for path in files for argument in ("--file", str(path))]
        done = subprocess.run(
            [compose_client(), "--env-file", file.name, *arguments, "config", "--format", "json"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", "HOME": tempfile.gettempdir()},
        )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def compose_client() -> str:
    """The path of Docker Compose beside this interpreter, or on the search path."""
    beside = Path(sys.executable).with_name("docker-compose")
    return str(beside) if beside.exists() else shutil.which("docker-compose") or "docker-compose"


def translate(document: Mapping[str, Any], folder: Path) -> list[Process]:
    """The processes of parsed compose files, with free ports, and folders below ``folder``."""
    services = document["services"]
    replicas = {name: _replicas(name, described) for name, described in services.items()}
    wanted = [
        (replica, int(port))
        for name, described in services.items()
        for replica in replicas[name]
        for port in described.get("expose", ())
    ]
    ports: dict[str, dict[int, int]] = {}
    for (replica, port), free in zip(wanted, free_ports(len(wanted)), strict=True):
        ports.setdefault(replica, {})[port] = free
    hosts = {name: ports.get(replicas[name][0], {}) for name in services}
    return [
        _process(replica, name, document, hosts, ports.get(replica, {}), folder)
        for name in services
        for replica in replicas[name]
    ]


def _process(
    name: str,
    service: str,
    document: Mapping[str, Any],
    hosts: Mapping[str, Mapping[int, int]],
    ports: Mapping[int, int],
    folder: Path,
) -> Process:
    described = document["services"][service]
    folders = _folders(name, described, folder)
    configs = {
        config["target"]: folder / "configs" / name / config["source"]
        for config in described.get("configs", ())
    }
    secrets_of = {
        secret["target"]: Path(document["secrets"][secret["source"]]["file"])
        for secret in described.get("secrets", ())
    }
    local = _Translation(hosts, ports, folders | configs | secrets_of)
    check = described.get("healthcheck", {}).get("test", ())
    return Process(
        name=name,
        service=service,
        command=local.words([*(described.get("entrypoint") or ()), *(described.get("command") or ())]),
        environment={key: local.text(str(value)) for key, value in described["environment"].items()},
        check=local.words(check[1:]) if check else None,
        needs={other: need["condition"] for other, need in described.get("depends_on", {}).items()},
        stop_signal=described.get("stop_signal", "SIGTERM"),
        ports=ports,
        folders=folders,
        files={
            configs[config["target"]]: local.text(document["configs"][config["source"]]["content"])
            for config in described.get("configs", ())
        },
    )


def _replicas(name: str, described: Mapping[str, Any]) -> list[str]:
    count = described.get("deploy", {}).get("replicas")
    return [name] if count is None else [f"{name}-{number}" for number in range(1, count + 1)]


def _folders(name: str, described: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Where volumes and temporary file systems are, by the path that the container knows them by."""
    volumes = {
        volume["target"]: folder / "volumes" / volume["source"] for volume in described.get("volumes", ())
    }
    temporary = [str(mount).split(":")[0] for mount in described.get("tmpfs", ())]
    return volumes | {path: folder / "temporary" / name / path.strip("/") for path in temporary}


class _Translation:
    """Replaces in one pass, so that no replacement is replaced again."""

    def __init__(
        self,
        hosts: Mapping[str, Mapping[int, int]],
        ports: Mapping[int, int],
        folders: Mapping[str, Path],
    ) -> None:
        self._hosts, self._ports, self._folders = hosts, ports, folders
        names = "|".join(re.escape(name) for name in sorted(hosts, key=len, reverse=True))
        paths = "|".join(re.escape(path) for path in sorted(folders, key=len, reverse=True))
        numbers = "|".join(str(port) for port in ports)
        self._pattern = re.compile(
            rf"(?P<host>\b(?:{names})):(?P<port>\d+)\b"
            rf"|(?P<path>(?<![\w./-])(?:{paths or '(?!)'})(?![\w.-]))"
            rf"|(?P<own>(?<!\d)(?:{numbers or '(?!)'})(?!\d))"
            rf"|(?P<bare>(?<=-ip=)(?:{names})\b)"
            r"|(?P<any>\b0\.0\.0\.0\b)"
        )

    def words(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.text(text) for text in texts)

    def text(self, text: str) -> str:
        return self._pattern.sub(self._replacement, text)

    def _replacement(self, match: "re.Match[str]") -> str:
        if host := match["host"]:
            return f"{LOOPBACK}:{self._hosts[host][int(match['port'])]}"
        if path := match["path"]:
            return str(self._folders[path])
        if own := match["own"]:
            return str(self._ports[int(own)])
        return LOOPBACK
