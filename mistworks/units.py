"""Units of what estimators and other measures of dependence return."""

from typing import Literal

MeasureUnit = Literal["nats", "log ratio", "spectral entropy", "distance", "none"]
"""Unit of a measure. Only what is in nats is mutual information, or a bound on it.

- ``"nats"``: compared with the true mutual information by errors and intervals.
- ``"log ratio"``: natural logarithm of a ratio of overlaps of densities.
- ``"spectral entropy"``: a difference of entropies of eigenvalues, to the natural base.
- ``"distance"``: a distance between points on normal scores.
- ``"none"``: a number without a unit.

All but the first are compared with the truth by rank correlation, and by the power of a permutation test.
"""

__all__ = ["MeasureUnit"]
