"""Open stores, which flows and steps hand on. Imports no Prefect.

A path or a URL is opened once, where a run begins. In the parameters that Prefect records of a run, the URL
stands for the store: Prefect would encode the store itself, and so read all of it.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, PlainSerializer, WithJsonSchema, model_serializer

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError
from storage.datasets.opening import open_store
from storage.datasets.store import Store
from storage.registry.runs import StoreReference

__all__ = ["OpenedStore", "TrainingData", "open_data", "store_reference"]

_OpenStore = Annotated[
    Store, PlainSerializer(lambda store: store.url, when_used="json"), WithJsonSchema({"type": "string"})
]


class OpenedStore(FrozenConfig):
    """A store as a parameter of a flow.

    Attributes:
        store: the store.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    store: _OpenStore

    @model_serializer
    def _url(self) -> str:
        return self.store.url

    @property
    def url(self) -> str:
        """Its path or URL."""
        return self.store.url


class TrainingData(FrozenConfig):
    """The open stores that an estimator is trained and calibrated on.

    Attributes:
        train: store of the training split.
        validation: store of the validation split.
        calibration: store of the calibration split; not calibrated if None.
        content_hashes: expected content hashes by split; not checked for splits that are left out.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    train: _OpenStore
    validation: _OpenStore
    calibration: _OpenStore | None = None
    content_hashes: Mapping[str, str] = Field(default_factory=dict)

    @property
    def stores(self) -> list[Store]:
        """The stores that are given."""
        given = (self.train, self.validation, self.calibration)
        return [store for store in given if store is not None]

    def reference(self, split: str, store: Store) -> StoreReference:
        """Return a reference to the store of a split after checking its split and content.

        Raises:
            MistworksError: it has another split or other content.
        """
        return store_reference(store, split, self.content_hashes.get(split))


def open_data(train: str, validation: str, calibration: str | None) -> TrainingData:
    """Open the stores that an estimator is trained and calibrated on.

    Args:
        train: path or URL of the training split.
        validation: path or URL of the validation split.
        calibration: path or URL of the calibration split, or None.

    Raises:
        MistworksError: a store does not exist or is incomplete.
    """
    data = TrainingData(
        train=open_store(train),
        validation=open_store(validation),
        calibration=None if calibration is None else open_store(calibration),
    )
    for store in data.stores:
        store.require_complete()
    return data


def store_reference(store: Store, split: str, content_hash: str | None) -> StoreReference:
    """Return a reference to a store after checking its split and, unless None, its content hash.

    Raises:
        MistworksError: it has another split or other content.
    """
    if store.manifest.split != split:
        raise MistworksError(
            f"Expected a store of the {split} split, got {store.url} of the {store.manifest.split} split. "
            "Give another."
        )
    held = store.content_hash()
    if content_hash is not None and content_hash != held:
        raise MistworksError(
            f"Expected the store {store.url} with content {content_hash[:12]}…, got {held[:12]}…. Generate "
            "it again."
        )
    return StoreReference(split, store.url, held)
