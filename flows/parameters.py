"""The parameters that flows share, typed and described: Prefect's page shows a form that checks them."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from flows.services import PresetName
from flows.workspace import Workspace
from mistworks.errors import MistworksError

Preset = Annotated[
    PresetName | Annotated[str, Field(pattern=r"\.json$", title="JSON file")],
    Field(description="A preset: tiny (seconds), quick, shipped or paper, or the path of one in JSON."),
]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="Root of every random stream.")]
StoreUrl = Annotated[
    str, Field(min_length=1, description="Path or URL of the store, such as s3://bucket/train.zarr.")
]
Count = Annotated[int, Field(ge=1, le=10**9, description="Number of datasets; the preset's if left out.")]
PartitionSize = Annotated[
    int, Field(ge=1, le=10**6, description="Datasets per partition; the preset's if left out.")
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
        description="What to compare: registered versions such as mist@champion, folders of estimators, "
        "baselines and groups of them (classical, neural), any with +bootstrap.",
    ),
]
Suites = Annotated[
    Sequence[str],
    Field(min_length=1, description="On what: names such as m-test or bmi-40, paths or URLs of stores."),
]
Where = Annotated[
    Workspace | None,
    Field(description="Where things are found and kept. From the environment if left out."),
]


def parse_ranges(text: str, partitions: int) -> list[int]:
    """The numbers in a text such as ``"3,7-12"``, ascending, each once.

    Args:
        text: numbers and ranges, both ends included.
        partitions: how many partitions there are.

    Raises:
        MistworksError: the text is of another form, or a number is not that of a partition.
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
