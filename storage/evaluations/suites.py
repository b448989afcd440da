"""Finds a suite by whatever names it: its own name, or the place of a store whose split is the suite."""

from dataclasses import dataclass
from functools import lru_cache

from mistworks.errors import MistworksError
from mistworks.evaluation.suites import SUITES, Suite, suite
from mistworks.evaluation.suites.stored import StoredSuite
from storage.datasets.opening import open_store
from storage.places.location import Location

_OPEN_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SuiteReference:
    """A suite such that another process can open the same.

    Attributes:
        text: its name, or the absolute path or URL of a store.
        sizes: the n asked for; None for those of the suite.
        version: what was found there.
    """

    text: str
    sizes: tuple[int, ...] | None
    version: str


def find_suite(text: str, sizes: tuple[int, ...] | None = None) -> tuple[SuiteReference, Suite]:
    """The suite of a name, or the datasets of the store at a path or URL, versioned by its content.

    Raises:
        MistworksError: there is neither, the store is not whole, or it does not come at the sizes asked for.
    """
    if text in SUITES:
        found = suite(text, sizes)
        return SuiteReference(text, sizes, found.version), found
    location = Location.parse(text)
    if location.path is not None and not location.path.exists():
        raise MistworksError(
            f"{text!r} is neither a suite ({', '.join(SUITES)}) nor a store that exists; give one of the two"
        )
    if sizes is not None:
        raise MistworksError(
            f"the store {text} holds datasets of the sizes it was made with, and n = "
            f"{', '.join(map(str, sizes))} was asked for; leave out --sizes, or evaluate it by itself"
        )
    store = open_store(location.url)
    stored = StoredSuite(store, store.manifest.split, store.content_hash())
    return SuiteReference(location.url, None, stored.version), stored


@lru_cache(maxsize=_OPEN_AT_ONCE)
def open_suite(reference: SuiteReference) -> Suite:
    """The suite of a reference, opened once a process.

    Raises:
        MistworksError: it is not there any more, or another one is.
    """
    reopened, found = find_suite(reference.text, reference.sizes)
    if reopened != reference:
        raise MistworksError(
            f"the suite {reference.text} was found in version {reference.version} and opens in version "
            f"{reopened.version} elsewhere; have the same data and the same Mistworks on all workers"
        )
    return found
