"""GMM-MI, an estimator from an optional package: a Gaussian mixture fitted to the points of two columns."""

import contextlib
import io
import warnings
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from typing_extensions import override

from mistworks.baselines.base import Baseline
from mistworks.baselines.preparation import checked, standardised
from mistworks.dataset import FloatArray
from mistworks.errors import MistworksError
from mistworks.estimation.estimator import Estimate
from mistworks.extras import imported

_PACKAGE = "gmm-mi"


class GMMMI(Baseline):
    """The mutual information of a Gaussian mixture, whose number of components is chosen by cross-validation.

    Piras, Peiris, Pontzen, Lucie-Smith, Guo, Nord, "A robust estimator of mutual information for deep
    learning interpretability", Machine Learning: Science and Technology 2023. The authors' package gmm-mi
    (GPL-3) does the work; Mistworks does not come with it. It is for one column on each side. The mixture is
    fitted once, without the package's bootstrap: ``"gmm-mi+bootstrap"`` resamples as for every estimator.
    """

    @property
    @override
    def name(self) -> str:
        return _PACKAGE

    @property
    @override
    def version(self) -> str:
        """Names the version of the package, or its absence: once installed, it is evaluated anew."""
        try:
            return f"1-{version(_PACKAGE)}"
        except PackageNotFoundError:
            return "1-absent"

    @property
    @override
    def slow(self) -> bool:
        """Always True: an estimate takes seconds."""
        return True

    @override
    def estimate(self, x: FloatArray, y: FloatArray) -> Estimate:
        """Mutual information in nats.

        Raises:
            MistworksError: a side has several columns, a column is constant, gmm-mi is not installed, or it
                fails, as it does beside scikit-learn 1.7 and later.
        """
        sides = checked(x, y)
        if any(side.shape[1] > 1 for side in sides):
            raise MistworksError(
                f"Expected one column on each side, got {x.shape[1]} and {y.shape[1]}. Use another estimator."
            )
        purpose = "the baseline gmm-mi"
        mi, holders = (imported(f"gmm_mi.{name}", purpose, "comparators") for name in ("mi", "param_holders"))
        points = np.hstack([standardised(side) for side in sides])
        once = holders.MIDistParamHolder(n_bootstrap=0)
        # It draws a bar of progress and warns of mixtures that have not converged.
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                estimate, _ = mi.EstimateMI().fit_estimate(points, mi_dist_params=once)
            except (AttributeError, ValueError) as error:
                raise MistworksError(
                    f"Expected an estimate of gmm-mi, got {error}. Install it beside scikit-learn below 1.7."
                ) from None
        return Estimate(float(estimate))


__all__ = ["GMMMI"]
