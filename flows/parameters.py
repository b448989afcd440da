"""The shared parameters of flows, typed and described, so that Prefect can show a form and check them."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from flows.services import PresetName
from flows.workspace import Workspace
from mistworks.errors import MistworksError

_LONGEST_NAME = 100

ChosenPreset = Annotated[
    PresetName | Annotated[str, Field(pattern=r"\.json$", title="JSON file")],
    Field(description="A preset: tiny (seconds), quick, shipped, digits, paper, or the path of one in JSON."),
]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="Root of every random stream.")]
DatedSeed = Annotated[
    Literal["date"] | Seed | None,
    Field(
        description=(
            "Root of every random stream, including the weights. Default: 0, and the preset's for the "
            "weights. date: the day (UTC) for which the run was scheduled, such as 20261231."
        )
    ),
]
StoreUrl = Annotated[
    str, Field(min_length=1, description="Path or URL of the store, such as s3://bucket/train.zarr.")
]
Count = Annotated[int, Field(ge=1, le=10**9, description="Number of datasets. Default: the preset's.")]
PartitionSize = Annotated[
    int, Field(ge=1, le=10**6, description="Datasets per partition. Default: the preset's.")
]
Partitions = Annotated[
    str,
    Field(
        pattern=r"^\d+(-\d+)?(,\d+(-\d+)?)*$",
        description="Numbers and ranges of partitions, such as 3,7-12.",
    ),
]
Models = Annotated[
    Sequence[str],
    Field(
        min_length=1,
        description=(
            "Estimators to compare: registered versions such as mist@champion, folders of estimators, "
            "baselines and groups of them (classical, neural, comparators, "
            "dependence), any with +bootstrap or +pca-4."
        ),
    ),
]
Suites = Annotated[
    Sequence[str],
    Field(min_length=1, description="Suites: names such as m-test or bmi-40, or paths or URLs of stores."),
]
Where = Annotated[
    Workspace | None,
    Field(
        description=(
            "Places of stores, checkpoints, results, registry and cluster. Default: from the environment."
        )
    ),
]


def run_name(kind: str, *names: str) -> Callable[[Mapping[str, Any]], str]:
    """Return a function that names a run by its kind and by those of its parameters that are not None.

    Args:
        kind: kind of the run, such as ``"pipeline"``.
        names: names of parameters, in order.
    """
    return lambda parameters: named(kind, *(parameters.get(name) for name in names))


def named(kind: str, *values: Any) -> str:
    """The name of a run: what it is, and those of some values that are not None."""
    text = "-".join([kind, *(_text(value) for value in values if value is not None)])
    return text[:_LONGEST_NAME]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    text = str(value)
    # The end of a path or a URL says more than its beginning.
    return "/".join(text.rsplit("/", 2)[-2:]) if text.startswith("/") or "://" in text else text


def seed_of(seed: int | str | None, scheduled: datetime | None = None) -> int | None:
    """Return the seed that a parameter means.

    Args:
        seed: a number, ``"date"``, or None.
        scheduled: scheduled start of the run, so that a late or retried run has the same seed; now if None.
    """
    if seed == "date":
        return int(f"{(scheduled or datetime.now(UTC)).astimezone(UTC):%Y%m%d}")
    return None if seed is None else int(seed)


def parse_ranges(text: str, partitions: int) -> list[int]:
    """Parse a text such as ``"3,7-12"`` into ascending numbers without repeats.

    Args:
        text: numbers and ranges, both ends included.
        partitions: number of partitions.

    Raises:
        MistworksError: the text has another form, or a partition does not exist.
    """
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text.replace(" ", "")):
        raise MistworksError(f"Expected numbers and ranges such as 3,7-12, got {text!r}.")
    bounds = [part.split("-") for part in text.replace(" ", "").split(",")]
    ends = [(int(part[0]), int(part[-1])) for part in bounds]
    for first, last in ends:
        if not first <= last < partitions:
            raise MistworksError(
                f"Expected partitions from 0 to {partitions - 1}, got {first if first == last else text}."
            )
    return sorted({number for first, last in ends for number in range(first, last + 1)})


__all__ = [
    "ChosenPreset",
    "Count",
    "DatedSeed",
    "Models",
    "PartitionSize",
    "Partitions",
    "Seed",
    "StoreUrl",
    "Suites",
    "Where",
    "named",
    "parse_ranges",
    "run_name",
    "seed_of",
]
