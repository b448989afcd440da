"""Pictures of a sample and of its mutual information. They need ``mistworks[tables]``.

Each function takes and returns axes of matplotlib, so that it can be put into any figure.
"""

from mistworks.plots.composition import plot
from mistworks.plots.forest import plot_forest
from mistworks.plots.sample import plot_normal_scores, plot_sample

__all__ = ["plot", "plot_forest", "plot_normal_scores", "plot_sample"]
