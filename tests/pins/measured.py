"""Measures what is pinned. Every figure is plain JSON."""

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints
from unittest import mock

import numpy as np
import torch
import typer

import mistworks
from flows.cli.commands import app, main
from mistworks import native
from mistworks.baselines import BASELINES
from mistworks.errors import MistworksWarning
from mistworks.estimation.estimator import Estimator
from mistworks.evaluation.suites import SUITES, suite
from mistworks.presets import PRESETS
from mistworks.training.checkpoint import CurvePoint
from storage.datasets.manifest import Manifest
from storage.datasets.opening import create_store
from storage.datasets.partitions import generate_partition
from storage.registry.tracking import local_tracking_uri, open_client
from tests.mistworks.estimation.test_estimator import CALIBRATED, ESTIMATOR, SUMMARY
from tests.mistworks.networks import test_summary
from tests.mistworks.training import test_training
from tests.storage.registry import test_registry

DATASETS = 12
QUANTILES = (0.05, 0.5, 0.95)
WEIGHTS = Path(mistworks.__file__).parent / "weights"


def expected_file(name: str) -> Path:
    """Where the expected figures of a pin are kept."""
    return Path(__file__).parent / "expected" / f"{name}.json"


def expected(name: str) -> Any:
    return json.loads(expected_file(name).read_text(encoding="utf-8"))


def machine() -> dict[str, str]:
    """What the last digits depend on. On another machine only the leading ones are compared."""
    return {"numpy": np.__version__, "torch": torch.__version__, "build": native.build()[0]}


def stores() -> dict[str, Any]:
    """The first datasets of each split of each preset: content hash of the store, and what it holds."""
    return {
        "machine": machine(),
        "stores": {
            f"{preset}/{split}": _store(preset, split)
            for preset in PRESETS
            # The flows of a modality are trained on the spot, and their last digits are those of the machine.
            if PRESETS[preset].modality is None
            for split in PRESETS[preset].splits
        },
    }


def _store(preset: str, split: str) -> dict[str, Any]:
    manifest = Manifest.of(
        split,  # type: ignore[arg-type]
        PRESETS[preset].split(split, DATASETS),
        partition_size=DATASETS,
        root_seed=0,
        samples=split not in PRESETS[preset].statistics_only,
    )
    with tempfile.TemporaryDirectory() as folder:
        store = create_store(f"{folder}/{split}.zarr", manifest)
        for number in range(manifest.partitions):
            generate_partition(store, number)
        index = store.index
        return {
            "content_hash": store.content_hash(),
            "meta_distribution": hashlib.sha256(
                manifest.meta_distribution.canonical_json().encode()
            ).hexdigest(),
            "families": [str(name) for name in index.family],
            "transforms": [str(name) for name in index.transform],
            "shapes": np.stack([index.n, index.dx, index.dy], axis=1).tolist(),
            "mi": index.mi.tolist(),
            "mean_of_values": [float(np.mean([item.x.mean(), item.y.mean()])) for item in store],
        }


def commands() -> dict[str, Any]:
    """Arguments and options of every command. What help says of them is not pinned."""
    group: Any = typer.main.get_command(app)
    return {
        each.callback.__name__: _parameters(each.callback, group.commands[each.callback.__name__])
        for each in app.registered_commands
        if each.callback is not None
    }


def _parameters(function: Callable[..., Any], command: Any) -> list[dict[str, Any]]:
    types = get_type_hints(function)
    return [
        {
            "name": each.name,
            "options": [*each.opts, *each.secondary_opts],
            "type": str(types[each.name]).removeprefix("<class '").removesuffix("'>"),
            "minimum": each.min,
            "maximum": each.max,
            "required": each.required,
            "default": str(each.default),
            "environment": each.envvar,
        }
        for each in command.params
    ]


# None of them starts anything.
FAILING = (
    ("generate", "--store", "train.zarr", "--preset", "nonesuch"),
    ("generate", "--split", "nonesuch"),
    ("regenerate", "nonesuch.zarr"),
    ("verify", "nonesuch.zarr"),
    ("verify",),
    ("train", "--store", "a.zarr", "--validation-store", "b.zarr", "--preset", "nonesuch"),
    ("evaluate",),
    ("register",),
    ("lookup", "mist/9"),
    ("lookup",),
    ("promote",),
    ("rollback",),
    ("estimate", "nonesuch.csv", "--x", "a", "--y", "b"),
    ("estimate", "nonesuch.csv"),
    ("score",),
    ("pipeline", "--preset", "nonesuch"),
    ("pipeline", "--seed", "nonesuch"),
    ("presets", "nonesuch"),
    ("summarise",),
    ("nonesuch",),
)


def exit_codes() -> dict[str, int]:
    """Status of each command for its help, for an option that it does not have, and for some failures."""
    lines = [
        *(line for name in sorted(commands()) for line in ((name, "--help"), (name, "--nonesuch"))),
        *FAILING,
    ]
    return {" ".join(line): _status(line) for line in lines}


def _status(arguments: Sequence[str]) -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.object(sys, "argv", ["mistworks", *arguments]),
        mock.patch.dict(os.environ, {"MISTWORKS_ROOT": folder}),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def public_names() -> list[str]:
    """The names that `import mistworks` offers."""
    return sorted(mistworks.__all__)


def versions() -> dict[str, Any]:
    """Names and versions of suites and baselines: results are kept under them."""
    return {
        "suites": {name: [suite(name).version, len(suite(name))] for name in SUITES},
        # That of gmm-mi is the package's.
        "baselines": {name: each.version for name, each in BASELINES.items() if name != "gmm-mi"},
    }


def samples() -> Iterator[tuple[str, Any, Any]]:
    """A fixed mix: continuous, independent, heavy-tailed, tied, labels, constants, copies, functions."""
    rng = np.random.default_rng(20261126)
    for n, dx, dy in (
        (5, 1, 1),
        (24, 3, 2),
        (60, 1, 1),
        (130, 7, 9),
        (300, 2, 2),
        (800, 16, 16),
        (3_000, 1, 1),
    ):
        z = rng.standard_normal((n, 2)) @ rng.standard_normal((2, dx + dy)) + rng.standard_normal(
            (n, dx + dy)
        )
        kinds = {
            "normal": z,
            "independent": rng.standard_normal((n, dx + dy)),
            "heavy": z / rng.gamma(0.6, size=(n, 1)),
            "rounded": np.round(2 * z),
            "mixed": np.where(np.arange(dx + dy) % 2 == 0, np.sign(z), z),
            "strong": z[:, :1] + 1e-3 * z,
            "repeated": np.repeat(z[: (n + 1) // 2], 2, axis=0)[:n],
        }
        for kind, values in kinds.items():
            yield f"{kind} {n} {dx} {dy}", values[:, :dx], values[:, dx:]
    x = rng.standard_normal((200, 3))
    labels = np.array(["red", "green", "blue", "grey"])[rng.integers(0, 4, 200)]
    yield "labels", labels, x + (labels == "red")[:, None]
    yield "labels of labels", labels, np.where(rng.random(200) < 0.7, labels, "red")
    yield "a function", x[:, 0], np.exp(x[:, 0])
    yield (
        "a copy and a constant",
        np.column_stack([x, x[:, 0], np.ones(200)]),
        x[:, :1] + rng.normal(size=(200, 1)),
    )
    yield "constant", np.ones(200), x


def estimates() -> dict[str, Any]:
    """Estimates of the shipped weights, and of untrained networks of both kinds, on the mix."""
    entrants: Mapping[str, tuple[Estimator, int]] = {
        "shipped": (mistworks.load(WEIGHTS), 10_000),
        "statistics": (SUMMARY, 500),
        "samples": (ESTIMATOR, 500),
        "samples, calibrated": (CALIBRATED, 100),
    }
    return {
        "machine": machine(),
        "estimates": {
            name: {label: _estimate(entrant, x, y) for label, x, y in samples() if len(x) <= most}
            for name, (entrant, most) in entrants.items()
        },
    }


def _estimate(estimator: Estimator, x: Any, y: Any) -> list[float | None]:
    """Point estimate, three quantiles and familiarity; infinity is 1e308."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MistworksWarning)
        found = estimator.estimate(x, y)
    values = [found.mi, *(found.quantile(level) for level in QUANTILES), found.familiarity]
    return [None if value is None else min(float(value), 1e308) for value in values]


def trainings() -> dict[str, Any]:
    """Curves of short trainings of both kinds of network."""
    with tempfile.TemporaryDirectory() as folder:
        of_samples = test_training.run(Path(folder, "samples"), test_training.config_of())
        of_statistics = test_summary.run(Path(folder, "statistics"))
        curves = {
            "samples": [_figures(point) for point in of_samples.history],
            "statistics": [_figures(point) for point in of_statistics.history],
        }
    return {"machine": machine(), "curves": curves}


def _figures(point: CurvePoint) -> dict[str, float]:
    return {name: value for name, value in point.model_dump().items() if name != "datasets_per_second"}


def model_folder() -> dict[str, Any]:
    """Files that an estimator is saved as, and the keys of its configuration."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, estimator in {"statistics": SUMMARY, "samples": CALIBRATED}.items():
            estimator.save(Path(folder, name))
            found[name] = _folder(Path(folder, name))
    return found


def shipped() -> dict[str, Any]:
    """The same of the estimator that comes with the package, and hashes of what it holds."""
    config = json.loads((WEIGHTS / "config.json").read_text())
    return {
        **_folder(WEIGHTS),
        "estimator_sha256": mistworks.load(WEIGHTS).sha256,
        "weights_sha256": config["weights_sha256"],
    }


def _folder(folder: Path) -> dict[str, Any]:
    return {
        "files": sorted(path.name for path in folder.iterdir()),
        "keys": sorted(_keys(json.loads((folder / "config.json").read_text()))),
    }


def _keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{name}.")


def registered() -> dict[str, Any]:
    """What a registered version records: names of its tags, metrics and files, and of its run's tags."""
    with tempfile.TemporaryDirectory() as folder:
        uri = local_tracking_uri(Path(folder))
        client = open_client(uri, create=True)
        version = test_registry.registered(uri, Path(folder))
        test_registry.promote("mist/1", test_registry.PASSED, None, uri)
        record = client.get_model_version("mist", "1")
        run = client.get_run(version.lineage.run_id)
        [model] = Path(folder).rglob("MLmodel")
        return {
            "tags": sorted(record.tags),
            "tags_of_the_model": sorted(client.get_registered_model("mist").tags),
            "tags_of_the_run": sorted(tag for tag in run.data.tags if tag.startswith("mistworks.")),
            "metrics": sorted(version.metrics),
            "files": sorted(
                str(path.relative_to(model.parent))
                for path in model.parent.rglob("*")
                if path.is_file() and "code" not in path.relative_to(model.parent).parts
            ),
        }


MEASURES: Mapping[str, Callable[[], Any]] = {
    "stores": stores,
    "commands": commands,
    "exit_codes": exit_codes,
    "public_names": public_names,
    "versions": versions,
    "estimates": estimates,
    "trainings": trainings,
    "model_folder": model_folder,
    "shipped": shipped,
    "registered": registered,
}
