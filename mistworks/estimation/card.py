"""The model card, ``README.md`` in an estimator's folder: origin, accuracy, and where not to trust it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mistworks.estimation.estimator import Estimator
from mistworks.estimation.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from mistworks.files import write_whole


@dataclass(frozen=True)
class ModelCard:
    """The facts of a card that the estimator itself does not hold.

    Attributes:
        preset: name of its preset.
        commit: git commit of the code.
        data: content hash of each store, by split.
        seconds: time taken by each step.
        machine: the machine, such as ``"2 cores"``.
        results: figures by name, which includes their unit.
        not_to_trust: further sentences on where estimates fail.
    """

    preset: str
    commit: str
    data: Mapping[str, str]
    seconds: Mapping[str, float]
    machine: str
    results: Mapping[str, float]
    not_to_trust: Sequence[str] = field(default=())

    def text(self, estimator: Estimator) -> str:
        """The card in Markdown."""
        sections = (
            ("How it was made", self._making(estimator)),
            ("Results", self._results()),
            ("Limits", _limits(estimator)),
            ("Where not to trust it", self._doubts(estimator)),
        )
        head = "\n".join(_head(estimator))
        return (
            "\n\n".join([head, *(f"## {title}\n\n" + "\n".join(lines) for title, lines in sections)]) + "\n"
        )

    def write(self, folder: Path, estimator: Estimator) -> None:
        """Write the card into the folder that `Estimator.save` created."""
        write_whole(folder / CARD_FILE, self.text(estimator).encode())

    def _making(self, estimator: Estimator) -> Iterator[str]:
        yield f"- `mistworks pipeline --preset {self.preset}` at commit `{self.commit}`."
        parameters = f"{estimator.network.parameter_count:,} parameters"
        yield f"- Weights: SHA-256 `{estimator.weights_sha256}`, {parameters}."
        if estimator.calibration is not None:
            yield (
                f"- Calibration: SHA-256 `{estimator.calibration.sha256}`, fitted on "
                f"{estimator.calibration.datasets:,} datasets that had no part in training."
            )
        for split, content_hash in self.data.items():
            yield f"- Data, {split}: content hash `{content_hash}`."
        for step, seconds in self.seconds.items():
            yield f"- Time, {step}: {_duration(seconds)} on {self.machine}."

    def _results(self) -> Iterator[str]:
        if not self.results:
            yield "None were measured."
            return
        yield from ("| | |", "|---|---|")
        for name, value in self.results.items():
            yield f"| {name} | {value:.4g} |"

    def _doubts(self, estimator: Estimator) -> Iterator[str]:
        trained = estimator.training_range
        yield (
            f"- Far outside {trained}, where it extrapolates: it warns there, and its intervals promise "
            "nothing."
        )
        yield (
            "- On points that are not independent draws of one distribution, such as time series: intervals "
            "are too narrow there."
        )
        yield (
            "- On dependence unlike any it was trained on: coverage is promised on average over the datasets "
            "it was calibrated on, not for every kind of dependence."
            if estimator.calibration is not None
            else "- Its intervals are those of the network itself and were not calibrated."
        )
        yield from (f"- {sentence}" for sentence in self.not_to_trust)


def _head(estimator: Estimator) -> Iterator[str]:
    yield "# Mutual information of a sample: a trained estimator"
    yield ""
    yield (
        f"`{WEIGHTS_FILE}` and `{CONFIG_FILE}` hold a network of kind `{estimator.network_config.network}`, "
        f"trained with the objective {estimator.objective}, which reads a sample and gives its mutual "
        "information in nats. `mistworks.load(folder).estimate(x, y)` uses it."
    )


def _limits(estimator: Estimator) -> Iterator[str]:
    network = estimator.network
    yield f"- At least {network.min_points} points; x and y of up to {network.max_dimension} columns each."
    yield "- Finite numbers only; constant columns are left out, since they carry no information."
    yield f"- Trained on {estimator.training_range}."
    if estimator.objective == "squared-error":
        yield "- A point estimate only, the mean: no quantiles and no intervals."


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


__all__ = ["ModelCard"]
