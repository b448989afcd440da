"""Stores in an object store: the same code path, against a real server on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import zarr
from obstore.exceptions import GenericError

from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from storage.generation import TransientPartitionError, generate_partition
from storage.location import Location
from storage.lock import exclusive
from storage.manifest import Manifest
from storage.store import Store, StoreDamagedError, create_store, open_store
from storage.verification import verify

BUCKET = "mistworks"


def manifest(count: int = 20) -> Manifest:
    return Manifest.of("train", load_preset("tiny").split("train", count), partition_size=8, root_seed=3)


def filled(url: str) -> Store:
    store = create_store(url, manifest())
    for number in store.missing():
        generate_partition(store, number)
    return open_store(url)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free_port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{free_port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(free_port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    urlopen(Request(f"{url}/{BUCKET}", method="PUT"), timeout=5).close()
                    break
                except (URLError, OSError):
                    if time.monotonic() > deadline or server.poll() is not None:
                        raise
                    time.sleep(0.1)
            yield url
        finally:
            server.kill()


@pytest.fixture(autouse=True)
def credentials(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{request.node.name}/train.zarr"


def delete(url: str, key: str) -> None:
    import obstore
    from obstore.store import from_url

    obstore.delete(from_url(url), key)


def overwrite(url: str, key: str, content: bytes) -> None:
    import obstore
    from obstore.store import from_url

    obstore.put(from_url(url), key, content)


def test_holds_what_a_local_store_holds(url: str, tmp_path: Path) -> None:
    remote, local = filled(url), filled(str(tmp_path / "s.zarr"))
    assert remote.content_hash() == local.content_hash()
    assert verify(remote).content_hash == local.content_hash()
    assert remote[17].x.tobytes() == local[17].x.tobytes()
    assert [d.mi for d in remote] == [d.mi for d in local]
    assert len(remote[3:9]) == 6
    assert remote.where(remote.index.n > 30).index.n.min() > 30


def test_plain_zarr_reads_it(url: str) -> None:
    filled(url)
    group = zarr.open_group(Location.parse(url).zarr_store(read_only=True), mode="r")
    assert group["index/n"].shape == (20,)  # type: ignore[union-attr]


def test_resumes_and_makes_again_what_is_lost(url: str) -> None:
    store = create_store(url, manifest())
    generate_partition(store, 1)
    assert create_store(url, manifest()).missing() == [0, 2]
    whole = filled(url).content_hash()
    delete(url, "partition_digest/c/1/0")
    assert open_store(url).missing() == [1]
    assert filled(url).content_hash() == whole


@pytest.mark.parametrize("key", ["index/mi/c/1", "index/digest/c/1/0", "values/c/{chunk}"])
@pytest.mark.parametrize("content", [None, b"", b"not what was written"])
def test_damage_is_found_named_and_mended(url: str, key: str, content: bytes | None) -> None:
    whole = filled(url).content_hash()
    key = key.format(chunk=manifest().capacity // 262_144)
    if content is None:
        delete(url, key)
    else:
        overwrite(url, key, content)
    found = verify(open_store(url))
    assert found.faulty == [1]
    assert f"partition 1 of the store {url} is damaged" in found.damaged[1]
    with pytest.raises(StoreDamagedError, match="partition 1 of the store"):
        open_store(url).partition(1)
    store = open_store(url, read_only=False)
    store.unmark(1)
    generate_partition(store, 1)
    assert verify(open_store(url)).content_hash == whole


def test_another_configuration_is_refused(url: str) -> None:
    whole = filled(url).content_hash()
    with pytest.raises(MistworksError, match="count 20 there, 19 asked"):
        create_store(url, manifest(19))
    assert open_store(url).content_hash() == whole


def test_a_place_that_holds_something_else_is_refused(url: str) -> None:
    overwrite(url, "values/me.jpg", b"me")
    for attempt in (lambda: open_store(url), lambda: create_store(url, manifest())):
        with pytest.raises(MistworksError, match=r"holds something that is not a store \(values\)"):
            attempt()


def test_no_store_and_no_bucket(url: str) -> None:
    with pytest.raises(MistworksError, match=f"there is no store at {url}"):
        open_store(url)
    for attempt in (lambda: open_store("s3://no-such/s"), lambda: create_store("s3://no-such/s", manifest())):
        with pytest.raises(MistworksError, match=r"the store s3://no-such/s cannot be .* \(.+\)") as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_a_server_that_is_gone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(MistworksError, match=r"the store .* cannot be read \(.+\)") as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


def test_failing_requests_are_not_taken_for_damage(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(url)
    store = open_store(url, read_only=False)

    class Gone:
        def __getitem__(self, _rows: object) -> None:
            raise GenericError("request failed\n\nDebug source: …")

        def __setitem__(self, _rows: object, _content: object) -> None:
            raise GenericError("request failed\n\nDebug source: …")

    monkeypatch.setattr(store, "_values", Gone())
    with pytest.raises(
        MistworksError, match=r"cannot be read \(request failed\); try again later$"
    ) as caught:
        store[3]
    assert not isinstance(caught.value, StoreDamagedError)
    store.unmark(1)
    with pytest.raises(
        TransientPartitionError, match=r"partition 1 of .* could not be written \(request failed\)"
    ):
        generate_partition(store, 1)


def test_there_is_no_lock(url: str) -> None:
    with exclusive(url), exclusive(url):
        pass


@pytest.mark.slow
def test_command_line(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from flows.cli import main; main()"]
    environment = {**os.environ, "MISTWORKS_ROOT": str(tmp_path / "root")}
    made = subprocess.run(
        [
            *command,
            "generate",
            "--preset",
            "tiny",
            "--count",
            "20",
            "--seed",
            "3",
            "--store",
            url,
            "--workers",
            "2",
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert made.returncode == 0, made.stderr
    whole = filled(str(tmp_path / "local.zarr")).content_hash()
    assert whole in made.stdout
    delete(url, "partition_digest/c/0/0")
    checked = subprocess.run([*command, "verify", url], capture_output=True, text=True, env=environment)
    assert (checked.returncode, checked.stderr.count("\n")) == (1, 1)
    assert "1 missing (0)" in checked.stderr
    again = subprocess.run([*command, "regenerate", url], capture_output=True, text=True, env=environment)
    assert again.returncode == 0, again.stderr
    assert whole in again.stdout
