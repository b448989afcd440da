"""Flows that tests deploy."""

import time
from typing import Annotated

from pydantic import Field

from flows.declaration import flow


@flow("busy", "busy-{seconds}")
def busy(seconds: Annotated[int, Field(ge=0, le=3_600, description="How long.")] = 0) -> int:
    """Compute for a while, as training does, and never let go of the processor.

    Args:
        seconds: how long.
    """
    ended, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < ended:
        rounds += sum(range(1_000))
    return rounds
