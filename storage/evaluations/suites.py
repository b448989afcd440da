"""Find suites by name, or by the path or URL of a store whose split is the suite."""

from dataclasses import dataclass
from functools import lru_cache

from mistworks.errors import MistworksError
from mistworks.evaluation.suites import SUITES, Suite, suite
from mistworks.evaluation.suites.stored import StoredSuite
from storage.datasets.opening import open_at
from storage.datasets.store import Store
from storage.places.location import Location

_OPEN_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SuiteReference:
    """A reference from which another process opens the same suite.

    Attributes:
        text: its name, or the absolute path or URL of a store.
        sizes: the requested n; None for those of the suite.
        version: its version when it was looked up.
    """

    text: str
    sizes: tuple[int, ...] | None
    version: str


def find_suite(text: str, sizes: tuple[int, ...] | None = None) -> tuple[SuiteReference, Suite]:
    """Resolve a suite by name, or the store at a path or URL, whose version is its content hash.

    Raises:
        MistworksError: neither exists, the store is incomplete, or it cannot be evaluated at other sizes.
    """
    if text in SUITES:
        named = suite(text, sizes)
        return SuiteReference(text, sizes, named.version), named
    location = Location.parse(text)
    if location.path is not None and not location.path.exists():
        raise MistworksError(f"Expected a suite ({', '.join(SUITES)}) or an existing store, got {text!r}.")
    if sizes is not None:
        raise MistworksError(
            f"Expected no --sizes with the store {text}, whose datasets have fixed sizes, got n = "
            f"{', '.join(map(str, sizes))}. Leave out --sizes, or evaluate the store by itself."
        )
    return suite_of(open_at(location))


def suite_of(store: Store) -> tuple[SuiteReference, Suite]:
    """Return the suite of a store's datasets, versioned by its content.

    Raises:
        MistworksError: the store is incomplete.
    """
    stored = StoredSuite(store, store.manifest.split, store.content_hash())
    return SuiteReference(store.url, None, stored.version), stored


@lru_cache(maxsize=_OPEN_AT_ONCE)
def open_suite(reference: SuiteReference) -> Suite:
    """Open the suite of a reference, once per process.

    Raises:
        MistworksError: it is gone, or another version took its place.
    """
    reopened, opened = find_suite(reference.text, reference.sizes)
    if reopened != reference:
        raise MistworksError(
            f"Expected the suite {reference.text} in version {reference.version}, got {reopened.version} in "
            "another process. Install the same data and the same Mistworks on all workers."
        )
    return opened


__all__ = ["SuiteReference", "find_suite", "open_suite", "suite_of"]
