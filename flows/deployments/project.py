"""The file prefect.yaml: deployments, their schedules, limits and triggers."""

from pathlib import Path
from typing import Any, Literal

import yaml
from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.flows import load_flow_from_entrypoint
from pydantic import Field

from mistworks.config import FrozenConfig
from mistworks.errors import MistworksError

__all__ = ["DeploymentSpec", "ProjectSpec", "TriggerSpec", "project_file", "read_project"]

PROJECT_FILE = "prefect.yaml"


class PoolSpec(FrozenConfig):
    """The work pool of a deployment."""

    name: str


class LimitSpec(FrozenConfig):
    """How many runs of a deployment are active at once, and what happens to the others."""

    limit: int = Field(ge=1)
    collision_strategy: ConcurrencyLimitStrategy
    grace_period_seconds: int = Field(ge=60, le=86_400)


class ScheduleSpec(FrozenConfig):
    """When a deployment runs: a cron expression in a named time zone."""

    cron: str
    timezone: str


class TriggerSpec(FrozenConfig):
    """The events that start a run, and the parameters it takes from them."""

    type: Literal["event"]
    match: dict[str, str]
    expect: list[str] = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)


class DeploymentSpec(FrozenConfig):
    """One deployment of prefect.yaml."""

    name: str
    entrypoint: str = Field(pattern=r"^[\w.]+$")
    description: str
    tags: list[str] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: list[ScheduleSpec] = Field(default_factory=list)
    concurrency_limit: LimitSpec | None = None
    work_pool: PoolSpec
    triggers: list[TriggerSpec] = Field(default_factory=list)

    def flow(self) -> Flow[..., Any]:
        """Load the flow that it runs.

        Raises:
            MistworksError: there is none at its entry point.
        """
        try:
            return load_flow_from_entrypoint(self.entrypoint)
        except (ImportError, AttributeError) as error:
            raise MistworksError(
                f"Expected a flow at {self.entrypoint}, got: {error}. Correct the deployment {self.name}."
            ) from None


class ProjectSpec(FrozenConfig):
    """The content of prefect.yaml."""

    name: str
    pull: list[Any] = Field(max_length=0)
    definitions: dict[str, Any] = Field(default_factory=dict)
    deployments: list[DeploymentSpec]


def project_file(given: Path | None = None) -> Path:
    """Return the given file, or prefect.yaml in the working directory, or the one beside the package.

    Raises:
        MistworksError: there is none.
    """
    places = [given] if given else [Path(PROJECT_FILE), Path(__file__).parents[2] / PROJECT_FILE]
    for place in places:
        if place.is_file():
            return place
    raise MistworksError(f"Expected a file {places[0]}, got none. Give the path of one as --file.")


def read_project(file: Path) -> ProjectSpec:
    """Read the deployments in a file.

    Raises:
        MistworksError: the file is not YAML, or describes something else.
    """
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise MistworksError(f"Expected YAML in {file}, got: {' '.join(str(error).split())}.") from None
    try:
        return ProjectSpec.parse(content)
    except MistworksError as error:
        raise MistworksError(f"{error} See {file}.") from None
