"""Compute the mutual information of the distributions of the suite ``beyond`` that have no closed form.

Each is the mean of the exact pointwise mutual information over a million draws, stored in the package under a
fingerprint of its parameters. Stored values are kept, and values that no distribution needs any more are
dropped.
"""

import argparse

from mistworks.evaluation.distributions.pointwise import (
    TRUTHS_FILE,
    PointwiseJoint,
    Truth,
    monte_carlo,
    stored_truths,
    write_truths,
)
from mistworks.evaluation.suites.beyond import pointwise_distributions
from mistworks.randomness import stream

SAMPLES = 1_000_000
SEED = 0
MOST_STANDARD_ERROR = 0.003


def main() -> None:
    """Compute missing values, or all with ``--all``, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="compute again what is stored already")
    again = parser.parse_args().all
    stored = stored_truths() if TRUTHS_FILE.exists() and not again else {}
    truths = {}
    for name, joint in pointwise_distributions().items():
        if joint.closed_form is None:
            truths[joint.fingerprint] = stored.get(joint.fingerprint) or compute(name, joint)
    write_truths(truths)


def compute(name: str, joint: PointwiseJoint) -> Truth:
    """Compute the mutual information of one distribution."""
    mi, error = monte_carlo(joint, SAMPLES, stream(SEED, "beyond-truth", name, 0))
    print(f"{name:24} {mi:.5f} ± {error:.5f} nats")
    if error >= MOST_STANDARD_ERROR:
        raise SystemExit(
            f"the standard error of {name} is not below {MOST_STANDARD_ERROR}; draw more samples"
        )
    return Truth(name, mi, error, SAMPLES, SEED)


if __name__ == "__main__":
    main()
