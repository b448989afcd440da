"""A modality: rows of real data, such as images, whose features meta-datasets are carried to."""

from mistworks.modality.config import DigitsSource, FileSource, Fit, FlowConfig, Half, ModalityConfig
from mistworks.modality.modality import Modality

__all__ = ["DigitsSource", "FileSource", "Fit", "FlowConfig", "Half", "Modality", "ModalityConfig"]
