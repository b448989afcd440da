"""Time and memory of estimates on this machine, measured once and kept as JSON."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from mistworks.baselines import MutualInformationEstimator
from mistworks.evaluation.cost import Cost, measure_cost
from mistworks.files import write_whole
from storage.evaluations.results import file_name

BUDGET_SECONDS = 20.0
"""Time for all estimates of one shape. An estimator that takes longer counts as failed."""


def cost(estimator: MutualInformationEstimator, n: int, dx: int, dy: int, folder: Path) -> Cost:
    """Return time and peak memory of one estimate. They are read from the folder or else measured now.

    For comparable figures nothing else should run on the machine.
    """
    place = folder / file_name(estimator.name) / file_name(estimator.version)
    kept = place / f"n-{n}-dx-{dx}-dy-{dy}.json"
    # Files of an older layout, and damaged ones, are measured again.
    with suppress(FileNotFoundError, ValueError, TypeError):
        return Cost(**json.loads(kept.read_bytes()))
    measured = measure_cost(estimator, n, dx, dy, budget_seconds=BUDGET_SECONDS)
    place.mkdir(parents=True, exist_ok=True)
    write_whole(kept, json.dumps(asdict(measured)).encode())
    return measured


__all__ = ["BUDGET_SECONDS", "cost"]
