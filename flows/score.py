"""The flow that estimates pairs of samples in Parquet files, and stores the estimates by estimator."""

import os
from dataclasses import dataclass
from typing import Annotated

from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.artifacts import leave_note
from flows.declaration import flow
from flows.parameters import Where, run_name
from flows.progress import progress
from flows.services import dask_cluster
from flows.workspace import Workspace
from mistworks.errors import MistworksError
from storage.evaluations.estimators import EstimatorReference, find_estimators
from storage.places.location import Location
from storage.tables.pairs import EstimateFolder, PairFile, claim_target, find_pairs
from tasks.jobs import Job
from tasks.on_dask import run_on_dask
from tasks.scoring import Scoring, score_parts

SOURCE_VARIABLE = "MISTWORKS_SCORE_SOURCE"
TARGET_VARIABLE = "MISTWORKS_SCORE_TARGET"

Source = Annotated[
    str | None,
    Field(
        min_length=1,
        description="Path or URL of Parquet with columns x and y. Default: MISTWORKS_SCORE_SOURCE.",
    ),
]
Target = Annotated[
    str | None,
    Field(
        min_length=1,
        description=(
            "Path or URL of a folder. Default: MISTWORKS_SCORE_TARGET, or else a folder below results."
        ),
    ),
]
ModelName = Annotated[
    str, Field(min_length=1, description="A registered version, such as mist@champion or mist/3.")
]
Levels = Annotated[
    list[Annotated[float, Field(gt=0.0, lt=1.0)]],
    Field(min_length=1, max_length=20, description="Levels of the intervals, such as 0.9."),
]


@dataclass(frozen=True)
class Scored:
    """Pairs that were estimated.

    Attributes:
        source: path or URL of the pairs.
        target: path or URL of the estimates; those of this estimator are in a folder with its name and
            version.
        model: name of the estimator, such as ``"mist/3"``.
        pairs: number of pairs.
        failures: number of pairs that could not be estimated; their rows say why.
        computed: number of parts of files that this run computed; the others existed.
    """

    source: str
    target: str
    model: str
    pairs: int
    failures: int
    computed: int

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        parts = f"{self.computed:,} parts made" if self.computed else "nothing new"
        return (
            f"{self.pairs:,} pairs of {self.source} estimated by {self.model}, but for {self.failures:,} "
            f"that could not be ({parts}); see {self.target}"
        )


@flow("score", run_name("score", "model"))
def score(
    source: Source = None,
    target: Target = None,
    model: ModelName = "mist@champion",
    levels: Levels = [0.9],  # noqa: B006
    workspace: Where = None,
) -> State[Scored]:
    """Estimate pairs of samples in Parquet files. Finished parts are kept: a new run computes only new ones.

    Each row has an estimate in nats and intervals, or the reason why there are none, with the version of the
    estimator and the hashes of its weights and calibration.

    Args:
        source: path or URL of a file or a folder of files with columns x and y, lists of points, and perhaps
            id, which is copied to the output. From MISTWORKS_SCORE_SOURCE if None.
        target: path or URL of a folder, one per source. From MISTWORKS_SCORE_TARGET if None, or else the
            folder scores in the results of the workspace.
        model: a registered version, or a folder of an estimator.
        levels: levels of the intervals, between 0 and 1.
        workspace: where the registry and the Dask cluster are.

    Raises:
        MistworksError: the pairs or the estimator do not exist, or the target cannot be written.
    """
    chosen = source or os.environ.get(SOURCE_VARIABLE)
    if not chosen:
        return Completed(
            message=f"Nothing to score: no source was given. Set {SOURCE_VARIABLE} in the environment of the "
            "worker, or the parameter source of the deployment."
        )
    scored = score_pairs(chosen, target, model, levels, workspace or Workspace.of())
    leave_note("score", scored.sentence, f"What {scored.model} estimated")
    return Completed(message=scored.sentence, data=scored)


def score_pairs(
    source: str, target: str | None, model: str, levels: list[float], workspace: Workspace
) -> Scored:
    """Do the same as `score`, in a workspace.

    Raises:
        MistworksError: see `score`.
    """
    files, estimator = find_pairs(source), _one_estimator(model, workspace.tracking_uri)
    place = _target(target, workspace)
    claim_target(place, source)
    folders = [_folder(place, file, estimator, levels) for file in files]
    missing = {folder: parts for folder in folders if (parts := folder.missing())}
    if missing:
        jobs = [_job(Scoring(folder, estimator), parts) for folder, parts in missing.items()]
        title = f"score-{estimator.label}"
        with (
            dask_cluster(workspace.dask_address, workspace.workers, "tasks.scoring") as address,
            progress(f"score {estimator.label}", sum(map(len, missing.values()))) as report,
        ):
            run_on_dask(score_parts, jobs, title, address, report, [files[0].place, place])
    return Scored(
        source=source,
        target=place.url,
        model=estimator.label,
        pairs=sum(sum(file.groups) for file in files),
        failures=sum(sum(folder.done().values()) for folder in folders),
        computed=sum(map(len, missing.values())),
    )


def _one_estimator(model: str, tracking_uri: str) -> EstimatorReference:
    references = find_estimators([model], tracking_uri)
    if len(references) != 1:
        raise MistworksError(f"Expected one estimator, got the group {model}. Choose one of its members.")
    return references[0]


def _target(target: str | None, workspace: Workspace) -> Location:
    chosen = target or os.environ.get(TARGET_VARIABLE)
    return Location.parse(chosen.rstrip("/")) if chosen else workspace.results / "scores"


def _folder(
    target: Location, file: PairFile, estimator: EstimatorReference, levels: list[float]
) -> EstimateFolder:
    return EstimateFolder(target, file, estimator.label, estimator.version, tuple(sorted(set(levels))))


def _job(scoring: Scoring, parts: list[int]) -> Job:
    path = scoring.folder.file.path
    return Job(scoring, parts, lambda part: f"part {part} of {path}", scoring.folder.missing)


__all__ = [
    "SOURCE_VARIABLE",
    "TARGET_VARIABLE",
    "Levels",
    "ModelName",
    "Scored",
    "Source",
    "Target",
    "score",
    "score_pairs",
]
