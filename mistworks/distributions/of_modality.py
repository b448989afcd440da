"""Families on the features of a modality: a configuration refers to the fit, whose file is opened once."""

from typing import Self

from pydantic import Field, PrivateAttr
from typing_extensions import override

from mistworks.distributions.base import Family
from mistworks.errors import MistworksError
from mistworks.modality.config import Fit, Half
from mistworks.modality.modality import HalfOfRows, Modality


def _absent(value: object) -> bool:
    return value is None


class ModalityFamily(Family):
    """A family that draws from a fitted modality.

    A preset does not know the fit. Planning a store enters it (`fitted`), and opening the store brings the
    fitted modality itself (`on`).

    Attributes:
        half: part of the rows that it draws from.
        fit: reference to the fitted modality; None before it is known.
    """

    half: Half = "training"
    fit: Fit | None = Field(default=None, exclude_if=_absent)
    _modality: Modality | None = PrivateAttr(None)

    @property
    def needs_modality(self) -> bool:
        """Whether datasets are drawn from the rows or the flows of a modality."""
        return True

    @override
    def require_dimensions(self, dx: int, dy: int) -> None:
        super().require_dimensions(dx, dy)
        if (
            self.needs_modality
            and self.fit is not None
            and (dx, dy) != (self.fit.components, self.fit.components)
        ):
            raise MistworksError(
                f"Expected dx = dy = {self.fit.components}, the number of features of the modality, got dx = "
                f"{dx}, dy = {dy}. Change the dimensions, or components."
            )

    def fitted(self, fit: Fit) -> Self:
        """Return the family with a reference to the fitted modality."""
        return self.model_copy(update={"fit": fit})

    def on(self, modality: Modality) -> Self:
        """Return the family with the fitted modality itself.

        Raises:
            MistworksError: it is not the one that the family refers to.
        """
        if self.fit is not None and self.fit != modality.fit:
            raise MistworksError(
                f"Expected the modality {self.fit.sha256[:12]}…, got {modality.fit.sha256[:12]}…. Restore "
                "the file that the store was made with."
            )
        bound = self.model_copy()
        bound._modality = modality
        return bound

    @property
    def opened(self) -> HalfOfRows:
        """The half that it draws from.

        Raises:
            MistworksError: the family was not brought together with a modality.
        """
        if self._modality is None:
            raise MistworksError(
                f"Expected a fitted modality for the family {self.name}, got none. Fit one with "
                "mistworks.modality.fitting.fit_modality, and pass it to on()."
            )
        return self._modality.halves[self.half]


__all__ = ["ModalityFamily"]
