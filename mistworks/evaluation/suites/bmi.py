"""The 40 tasks of the benchmark of Czyż et al., "Beyond Normal" (NeurIPS 2023), built from their definitions.

Names are those of their package, benchmark-mi; ``benchmarks/bmi_truth.py`` compares truths and samples with
it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mistworks.distributions import TRANSFORMS, AdditiveNoise, JointDistribution, Normal, Student
from mistworks.distributions.dispersion import Matrix, sparse_matrix
from mistworks.evaluation.distributions.composed import Mapped
from mistworks.evaluation.distributions.maps import MixtureQuantile, Spiral, swiss_roll
from mistworks.evaluation.suites.base import Entry, GridSuite

NAME = "bmi-40"
VERSION = "1"
SIZES = (500, 1000)
REPLICATES = 5

_CORRELATION = 0.75
_STRENGTH = 2.0
_BIMODAL_X = MixtureQuantile(weights=(0.3, 0.7), means=(0.0, 5.0))
_BIMODAL_Y = MixtureQuantile(weights=(0.5, 0.5), means=(-1.0, 3.0))


def bmi_40(sizes: Sequence[int] = SIZES) -> GridSuite:
    """Build the suite at the given sample sizes."""
    entries = (*_one_dimensional(), *_normal(), *_student(), *_transformed())
    return GridSuite(NAME, VERSION, entries, sizes, REPLICATES)


def _one_dimensional() -> Iterator[Entry]:
    rho = _CORRELATION
    normal, name = Normal(_dense(2, rho), 1), f"1v1-normal-{rho}"
    uniform = transformed(normal, "normal_cdf")
    student = Student(np.eye(2), 1, 1.0)
    yield Entry(name, "normal", normal)
    yield Entry(f"normal_cdf-{name}", "normal", uniform)
    for noise in (0.1, 0.75):
        yield Entry(f"1v1-additive-{noise}", "additive", AdditiveNoise(np.array([noise])))
    yield Entry(f"1v1-bimodal-{rho}", "normal", Mapped(normal, _BIMODAL_X, _BIMODAL_Y))
    yield Entry(f"wiggly-{name}", "normal", transformed(normal, "wigglify"))
    yield Entry(f"half_cube-{name}", "normal", transformed(normal, "halfcube"))
    yield Entry("student-identity-1-1-1", "student", student)
    yield Entry("asinh-student-identity-1-1-1", "student", transformed(student, "asinh"))
    yield Entry(f"swissroll_x-normal_cdf-{name}", "swissroll", Mapped(uniform, x=swiss_roll, added_x=1))


def _normal() -> Iterator[Entry]:
    for d in (2, 3, 5, 25, 50):
        yield Entry(f"multinormal-dense-{d}-{d}-0.5", "normal-dense", Normal(_dense(2 * d, 0.5), d))
    for d in (2, 3, 5, 25):
        yield Entry(_two_pair_name(d), "normal-2pair", _two_pair(d))


def _student() -> Iterator[Entry]:
    for d, nu in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)):
        yield Entry(f"student-identity-{d}-{d}-{nu}", "student", Student(np.eye(2 * d), d, float(nu)))


def _transformed() -> Iterator[Entry]:
    dimensions = (3, 5, 25)
    for d in dimensions:
        yield Entry(
            f"normal_cdf-{_two_pair_name(d)}", "normal-2pair", transformed(_two_pair(d), "normal_cdf")
        )
    for d in dimensions:
        yield Entry(f"half_cube-{_two_pair_name(d)}", "normal-2pair", transformed(_two_pair(d), "halfcube"))
    for d in dimensions:
        yield Entry(f"spiral-{_two_pair_name(d)}", "spiral", _spiral(_two_pair(d)))
    for d in dimensions:
        uniform = transformed(_two_pair(d), "normal_cdf")
        yield Entry(f"spiral-normal_cdf-{_two_pair_name(d)}", "spiral", _spiral(uniform))
    for d, nu in ((2, 1), (3, 2), (5, 2)):
        student = Student(np.eye(2 * d), d, float(nu))
        yield Entry(f"asinh-student-identity-{d}-{d}-{nu}", "student", transformed(student, "asinh"))


def transformed(joint: JointDistribution, transform: str) -> Mapped:
    """Apply a named transform of ``TRANSFORMS`` to the coordinates of a distribution."""
    maps = TRANSFORMS[transform]
    return Mapped(joint, maps.x, maps.y)


def _spiral(joint: JointDistribution) -> Mapped:
    return Mapped(joint, Spiral(0, 1), Spiral(1, 2))


def _dense(size: int, correlation: float) -> Matrix:
    return np.full((size, size), correlation) + (1.0 - correlation) * np.eye(size)


def _two_pair(d: int) -> Normal:
    return Normal(sparse_matrix(d, d, 2, _STRENGTH), d)


def _two_pair_name(d: int) -> str:
    return f"multinormal-sparse-{d}-{d}-2-{_STRENGTH}"


__all__ = ["NAME", "REPLICATES", "SIZES", "VERSION", "bmi_40", "transformed"]
