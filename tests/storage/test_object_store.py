"""Stores in an object store: the same code path, against a real server on loopback."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zarr
from obstore.exceptions import GenericError

from mistworks.errors import MistworksError
from mistworks.presets import load_preset
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store, open_store
from storage.datasets.partitions import TransientPartitionError, generate_partition
from storage.datasets.statistics import create_summaries, has_statistics, open_summaries, summarise_partition
from storage.datasets.store import Store, StoreDamagedError
from storage.datasets.verification import verify
from storage.errors import StoreRefusedError, StoreUnreachableError
from storage.evaluations.results import ResultStore
from storage.places.folders import WorkingFolder, fetch_folder
from storage.places.location import PATIENCE_VARIABLE, Location
from storage.places.lock import exclusive
from tests.failures.observations import Observe
from tests.support.object_stores import (
    BUCKET,
    READER,
    Fault,
    FaultyProxy,
    SeaweedFS,
    faulty_proxy,
    free_ports,
    s3_environment,
    seaweedfs,
)
from tests.support.sources import results_of
from tests.support.writers import slow_writer


def manifest(count: int = 20) -> Manifest:
    return Manifest.of("train", load_preset("tiny").split("train", count), partition_size=8, root_seed=3)


def filled(url: str, count: int = 20) -> Store:
    store = create_store(url, manifest(count))
    for number in store.missing():
        generate_partition(store, number)
    return open_store(url)


@pytest.fixture(autouse=True)
def environment(object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_environment(object_store.endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(PATIENCE_VARIABLE, "2")


@pytest.fixture
def proxy(object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    with faulty_proxy(object_store.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.fixture(scope="module")
def whole(object_store: SeaweedFS) -> str:
    """A whole store with statistics that no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_environment(object_store.endpoint).items():
            patch.setenv(name, value)
        url = filled(f"s3://{BUCKET}/whole/train.zarr").url
        summaries = create_summaries(open_store(url))
        for number in summaries.missing():
            summarise_partition(summaries, number)
    return url


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
def test_damage_is_found_named_and_mended(
    url: str, key: str, content: bytes | None, observe: Observe
) -> None:
    whole = filled(url).content_hash()
    key = key.format(chunk=manifest().capacity // 262_144)
    if content is None:
        delete(url, key)
    else:
        overwrite(url, key, content)
    found = verify(open_store(url))
    assert found.faulty == [1]
    assert f"partition 1 of the store {url} undamaged" in found.damaged[1]
    told = rf"partition 1 of the store {re.escape(url)} undamaged, got: .*\. Run `mistworks regenerate"
    for read in (lambda: open_store(url).partition(1), lambda: list(open_store(url))):
        with pytest.raises(StoreDamagedError, match=told) as caught:
            read()
    store = open_store(url, read_only=False)
    store.unmark(1)
    generate_partition(store, 1)
    assert verify(open_store(url)).content_hash == whole
    kind = "gone" if content is None else "changed" if content else "empty"
    observe(
        f"a file of a partition {kind}, found when it is read",
        seen=str(caught.value),
        afterwards="made anew: same hash",
    )


def test_another_configuration_is_refused(url: str) -> None:
    whole = filled(url).content_hash()
    with pytest.raises(MistworksError, match="count 20 in the store, 19 requested"):
        create_store(url, manifest(19))
    assert open_store(url).content_hash() == whole


def test_a_place_that_holds_something_else_is_refused(url: str) -> None:
    overwrite(url, "values/me.jpg", b"me")
    for attempt in (lambda: open_store(url), lambda: create_store(url, manifest())):
        with pytest.raises(MistworksError, match=r"Expected a store or an empty place at .*, got values"):
            attempt()


def test_no_store_and_no_bucket(url: str) -> None:
    with pytest.raises(MistworksError, match=f"Expected a store at {url}"):
        open_store(url)
    for attempt in (lambda: open_store("s3://no-such/s"), lambda: create_store("s3://no-such/s", manifest())):
        with pytest.raises(MistworksError, match=r"the store s3://no-such/s from .*, got: .+") as caught:
            attempt()
        assert "\n" not in str(caught.value)


def fetched(url: str) -> None:
    with fetch_folder(Location.parse(url)):
        pass


def kept(url: str) -> None:
    with TemporaryDirectory() as scratch:
        place = Location.parse(f"{url}-folder")
        folder = WorkingFolder(place, Path(scratch), place.object_store())
        (folder.path / "checkpoint.json").write_text("{}")
        folder.save()


EVERY_USE = {
    "opening": lambda url: open_store(url),
    "making": lambda url: create_store(url, manifest()),
    "statistics": lambda url: open_summaries(open_store(url)),
    "results": lambda url: ResultStore(Location.parse(f"{url}-results")).read("suite", "1", "estimator", "1"),
    "a folder": fetched,
    "keeping a folder": kept,
    "writing results": lambda url: ResultStore(Location.parse(f"{url}-results")).write(
        results_of([9], [0.0], [0.1])
    ),
}
EVERY_USE_OF_AN_OPEN_STORE = {
    "a marker": lambda store: store.is_done(0),
    "markers": lambda store: store.missing(),
    "the index": lambda store: store.index,
    "a dataset": lambda store: store[3],
    "a partition": lambda store: store.partition(0),
    "the hash": lambda store: store.content_hash(),
    "the check": lambda store: verify(store),
}
HOST = re.escape(socket.gethostname())


@pytest.mark.parametrize("use", EVERY_USE)
def test_a_server_that_is_gone_may_come_back(use: str, monkeypatch: pytest.MonkeyPatch, whole: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.5")
    started = time.monotonic()
    with pytest.raises(
        StoreUnreachableError,
        match=(rf"Expected to \w+ .* from {HOST}, got: .*Connection refused\. Try again later\.$"),
    ) as caught:
        EVERY_USE[use](whole)
    assert "\n" not in str(caught.value)
    assert 0.3 < time.monotonic() - started < 15


@pytest.mark.parametrize("use", EVERY_USE)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            Fault("status", status=403, code="AccessDenied"),
            r"403 Forbidden, AccessDenied: .*\. Check the cred",
        ),
        (
            Fault("status", status=403, code="RequestTimeTooSkewed"),
            r"RequestTimeTooSkewed: .*\. Set the clock",
        ),
        (Fault("status", status=404, code="NoSuchBucket"), r"NoSuchBucket: .*\. Create the bucket"),
        (Fault("status", status=413, code="EntityTooLarge"), r"EntityTooLarge: .*\. Free space or raise"),
        (
            Fault("status", status=400, code="Odd"),
            r"400 Bad Request, Odd: Provoked by a test\. Check the addr",
        ),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_a_server_that_refuses_is_asked_once(
    use: str, fault: Fault, told: str, proxy: FaultyProxy, whole: str, observe: Observe
) -> None:
    proxy.fault = fault
    with pytest.raises(StoreRefusedError, match=rf"Expected to \w+ .* from {HOST}, got: .*{told}") as caught:
        EVERY_USE[use](whole)
    assert "xml" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert proxy.requests == 1
    observe(
        f"object store that answers {fault.status}, {fault.code}",
        seen=str(caught.value),
        afterwards="it was asked once, and nothing was written",
    )


@pytest.mark.parametrize("use", EVERY_USE_OF_AN_OPEN_STORE)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("status", status=503), StoreUnreachableError),
        (Fault("close"), StoreUnreachableError),
        (Fault("status", status=403, code="AccessDenied"), StoreRefusedError),
    ],
    ids=["503", "close", "403"],
)
def test_a_fault_while_a_store_is_read_is_no_damage(
    use: str,
    fault: Fault,
    kind: type[MistworksError],
    proxy: FaultyProxy,
    whole: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.3")
    store = open_store(whole)
    proxy.fault = fault
    with pytest.raises(kind, match=rf"Expected to read the store {whole} from {HOST}, got:"):
        EVERY_USE_OF_AN_OPEN_STORE[use](store)
    proxy.fault = None
    EVERY_USE_OF_AN_OPEN_STORE[use](store)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", share=0.2),
        pytest.param(Fault("status", share=0.2, status=500, code="InternalError"), marks=pytest.mark.slow),
        pytest.param(Fault("status", share=0.2, status=429), marks=pytest.mark.slow),
        Fault("close", share=0.2),
        Fault("cut", share=0.2),
        Fault("slow", seconds=0.02),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_faults_that_pass_are_outlasted(
    url: str,
    proxy: FaultyProxy,
    fault: Fault,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    observe: Observe,
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "60")
    proxy.fault = fault
    made = filled(url, 8)
    assert verify(made).content_hash == filled(str(tmp_path / "local.zarr"), 8).content_hash()
    assert proxy.failed > 5
    kinds = {"status": f"answers {fault.status}", "close": "hangs up", "cut": "cuts answers off"}
    often = f" in {fault.share:.0%} of the requests" if fault.share < 1 else ""
    observe(
        f"object store that {kinds.get(fault.kind, 'is slow')}{often}",
        seen="the work goes on",
        afterwards=f"same hash, after {proxy.failed} faults",
    )


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("status", status=503, methods=("PUT",)), TransientPartitionError),
        (Fault("status", status=403, code="AccessDenied", methods=("PUT",)), StoreRefusedError),
        (Fault("status", status=413, code="EntityTooLarge", methods=("PUT",)), StoreRefusedError),
    ],
    ids=["503", "403", "413"],
)
def test_a_partition_that_cannot_be_written_is_named(
    url: str,
    proxy: FaultyProxy,
    fault: Fault,
    kind: type[MistworksError],
    monkeypatch: pytest.MonkeyPatch,
    observe: Observe,
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "0.3")
    store = create_store(url, manifest())
    proxy.fault = fault
    told = rf"Expected to write partition 1 of the store .* from {HOST}, got: {fault.status} .*{fault.code}"
    with pytest.raises(kind, match=told) as caught:
        generate_partition(store, 1)
    proxy.fault = None
    assert store.missing() == [0, 1, 2]
    observe(
        f"object store that answers every write with {fault.status}",
        seen=str(caught.value),
        afterwards="the partition counts as missing",
    )


def test_a_server_that_is_stopped_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is made while the server is gone for a while: it waits, and nothing is lost."""
    monkeypatch.setenv(PATIENCE_VARIABLE, "60")
    with seaweedfs(tmp_path / "server") as server, ThreadPoolExecutor(1) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        url = f"s3://{BUCKET}/train.zarr"
        generate_partition(create_store(url, manifest()), 0)
        server.stop()
        making = pool.submit(filled, url)
        time.sleep(1)
        assert not making.done()
        server.start()
        assert making.result(60).content_hash() == filled(str(tmp_path / "local.zarr")).content_hash()


def test_a_bad_secret_and_an_unknown_key(whole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"),
    ):
        monkeypatch.setenv(name, "wrong")
        with pytest.raises(
            StoreRefusedError, match=rf"got: 403 Forbidden, {code}: .*\. Check the credentials in"
        ):
            open_store(whole)


def test_no_credentials_are_missed_at_once(whole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        StoreRefusedError, match=r"Expected credentials for s3://.* in the env.* Set AWS_ACCESS"
    ):
        open_store(whole)


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_a_patience_that_is_none(whole: str, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, text)
    with pytest.raises(MistworksError, match=rf"Expected {PATIENCE_VARIABLE} in seconds, got '{text}'"):
        open_store(whole)


class TestWithoutTheRightToWrite:
    @pytest.fixture(autouse=True)
    def reader(self, whole: str, object_store: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in s3_environment(object_store.endpoint, READER).items():
            monkeypatch.setenv(name, value)

    def test_a_store_and_its_statistics_are_read(self, whole: str) -> None:
        store = open_store(whole)
        assert verify(store).faulty == []
        assert len(store[3].x) == store.index.n[3]
        assert has_statistics(open_store(whole))
        assert len(open_summaries(open_store(whole)).partition(1)) == 8
        assert ResultStore(Location.parse(f"{whole}-results")).read("suite", "1", "estimator", "1") is None

    def test_writing_is_refused(self, whole: str, url: str) -> None:
        with pytest.raises(
            StoreRefusedError, match=r"Expected to write .*AccessDenied: .*\. Check the credent"
        ):
            create_store(url, manifest())
        with pytest.raises(StoreRefusedError, match="Expected to write"):
            ResultStore(Location.parse(f"{whole}-results")).write(results_of([9], [0.0], [0.1]))


def test_a_slow_writer_who_is_killed_leaves_what_another_finished(url: str, observe: Observe) -> None:
    """The slow one looked for the mark before the other set it, and is killed between two of its writes."""
    create_store(url, manifest())
    with slow_writer(url, 1) as writer:
        whole = filled(url).content_hash()
        assert open_store(url).missing() == []
        writer.kill()
    found = verify(open_store(url))
    assert (found.faulty, found.content_hash) == ([], whole)
    observe(
        "a slow writer killed halfway over a finished partition",
        seen="the store is whole",
        afterwards="same hash, the mark stands",
    )


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
        MistworksError, match=r"Expected to read .* from .*, got: request failed\. Try again later\.$"
    ) as caught:
        store[3]
    assert not isinstance(caught.value, StoreDamagedError)
    store.unmark(1)
    with pytest.raises(
        TransientPartitionError, match=r"Expected to write partition 1 of .* from .*, got: request failed"
    ):
        generate_partition(store, 1)


def test_there_is_no_lock(url: str) -> None:
    with exclusive(Location.parse(url)), exclusive(Location.parse(url)):
        pass


@pytest.mark.slow
def test_command_line(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from flows.cli.commands import main; main()"]
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
