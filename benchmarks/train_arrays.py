"""Train and calibrate an estimator from files of statistics: ``python benchmarks/train_arrays.py --help``.

The pipeline does the same from stores, with records of the origin of each result. This script is for trials,
and for machines with little more than torch.
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path

from mistworks.presets import load_preset
from mistworks.training import Progress, TrainingConfig, calibrate, train
from mistworks.training.arrays import ArraySummaries


def main() -> None:
    """Train, calibrate and save an estimator."""
    parser = argparse.ArgumentParser(description=__doc__)
    for split in ("train", "validation", "calibration"):
        parser.add_argument(split, type=Path, help="a file that ArraySummaries.save wrote")
    parser.add_argument("folder", type=Path, help="where the estimator and the checkpoints are written")
    parser.add_argument("--preset", default="shipped", help="of network and training")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another training setting"
    )
    parser.add_argument(
        "--set-network", action="append", default=[], metavar="KEY=VALUE", help="of the network"
    )
    arguments = parser.parse_args()
    preset = load_preset(arguments.preset)
    changes = dict(pair.split("=", 1) for pair in arguments.set)
    training = TrainingConfig.parse({**dict(preset.training), **changes})
    network = type(preset.network).parse(
        {**dict(preset.network), **dict(pair.split("=", 1) for pair in arguments.set_network)}
    )
    source, validation = (ArraySummaries.load(path) for path in (arguments.train, arguments.validation))
    digest = hashlib.sha256(source.index.mi.tobytes() + validation.index.mi.tobytes()).hexdigest()
    began = time.perf_counter()
    result = train(source, validation, network, training, arguments.folder / "checkpoint", digest, _report)
    print(f"trained in {time.perf_counter() - began:.1f} s, best step {result.best_step}", file=sys.stderr)
    result.estimator.save(arguments.folder / "model")
    began = time.perf_counter()
    calibrated = calibrate(result.estimator, ArraySummaries.load(arguments.calibration), training.seed)
    calibrated.save(arguments.folder / "calibrated")
    print(f"calibrated in {time.perf_counter() - began:.1f} s", file=sys.stderr)
    print(calibrated.calibration.widening if calibrated.calibration else None, file=sys.stderr)


def _report(progress: Progress) -> None:
    if progress.point is not None:
        point = progress.point
        print(
            f"step {progress.step} of {progress.steps}: loss {point.training_loss:.5f}, validation "
            f"{point.validation_loss:.5f}, MSE {point.mse:.5f}, {point.datasets_per_second:.0f} datasets/s",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    main()
