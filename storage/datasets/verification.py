"""Verify that a store is complete and undamaged, and hash its content."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mistworks.errors import MistworksError
from storage.datasets.store import Store, StoreDamagedError


@dataclass(frozen=True)
class Verification:
    """The result of verifying a store.

    Attributes:
        url: the store.
        datasets: number of datasets according to its manifest.
        partitions: number of partitions according to its manifest.
        missing: partitions that are not done.
        damaged: for each damaged partition, a sentence on what is wrong with it.
        content_hash: SHA-256 over all samples and labels, or None if anything is missing or damaged.
        made_by_other_code: how the code that made the store differs from the running code, as far as that
            affects bytes. The store is no less sound, but generating it here may give other bytes.
    """

    url: str
    datasets: int
    partitions: int
    missing: tuple[int, ...]
    damaged: dict[int, str]
    content_hash: str | None
    made_by_other_code: tuple[str, ...] = ()

    @property
    def faulty(self) -> list[int]:
        """The partitions to regenerate."""
        return sorted({*self.missing, *self.damaged})

    def require_sound(self) -> None:
        """Refuse a store with any fault.

        Raises:
            MistworksError: a partition is missing or damaged. The message names the faults.
        """
        if not self.faulty:
            return
        faults = [f"{len(self.missing)} missing ({_numbers(list(self.missing))})"] if self.missing else []
        faults += [f"{len(self.damaged)} damaged ({_numbers(list(self.damaged))})"] if self.damaged else []
        raise MistworksError(
            f"Expected {self.partitions} sound partitions in {self.url}, got {' and '.join(faults)}. Run "
            f"`mistworks regenerate {self.url}`."
        )


def _numbers(partitions: list[int]) -> str:
    return ", ".join(map(str, partitions[:10])) + (", …" if len(partitions) > 10 else "")


def verify(
    store: Store, *, on_progress: Callable[[int], None] = lambda done: None, threads: int = 2
) -> Verification:
    """Read every partition and check every digest. Memory is bounded by one partition per thread.

    Args:
        store: the store to check.
        on_progress: called with the number of partitions checked so far.
        threads: partitions read at once.
    """
    digests = store.partition_digests()
    missing = tuple(number for number, digest in enumerate(digests) if digest is None)
    present = [number for number, digest in enumerate(digests) if digest is not None]
    damaged = {}
    with ThreadPoolExecutor(threads) as pool:
        for done, (number, fault) in enumerate(
            zip(present, pool.map(lambda p: _fault(store, p), present), strict=True)
        ):
            if fault is not None:
                damaged[number] = fault
            on_progress(done + 1)
    content_hash = None if missing or damaged else store.content_hash()
    return Verification(
        store.url, len(store), len(digests), missing, damaged, content_hash, store.manifest.other_code
    )


def _fault(store: Store, partition: int) -> str | None:
    try:
        store.partition(partition)
    except StoreDamagedError as error:
        return str(error)
    return None


__all__ = ["Verification", "verify"]
