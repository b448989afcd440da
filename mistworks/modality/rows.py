"""The rows of a modality and their labels, read once and checked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mistworks.errors import MistworksError
from mistworks.extras import imported
from mistworks.modality.config import AnySource, FileSource, ModalityConfig

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_LEAST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of real data with their labels.

    Attributes:
        values: shape (N, p), float64.
        labels: numbers of the labels from 0, shape (N,); None if the rows have none.
    """

    values: Array
    labels: Codes | None

    @property
    def sha256(self) -> str:
        """Hash of shape, values (little-endian doubles) and labels (little-endian 64-bit integers)."""
        digest = hashlib.sha256(str(self.values.shape).encode())
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels, dtype="<i8").data)
        return digest.hexdigest()


def read_rows(source: AnySource) -> Rows:
    """Read the rows of a source.

    Raises:
        MistworksError: the file cannot be read, does not hold rows of finite numbers, or has another hash
            than the source says; or scikit-learn is not installed.
    """
    if not isinstance(source, FileSource):
        digits = imported("sklearn.datasets", "the images of digits").load_digits()
        return Rows(digits.data.astype(np.float64), digits.target.astype(np.int64))
    rows = _read_file(Path(source.path))
    if source.sha256 not in (None, rows.sha256):
        raise MistworksError(
            f"Expected rows with the hash {source.sha256} in {source.path}, got {rows.sha256}. Restore the "
            "file, or correct the hash in the configuration."
        )
    return rows


def resolved(config: ModalityConfig) -> ModalityConfig:
    """Return the configuration with the hash of the content of its file, which is read and checked.

    Raises:
        MistworksError: see `read_rows`.
    """
    if not isinstance(config.source, FileSource):
        return config
    sha256 = read_rows(config.source).sha256
    return config.model_copy(update={"source": config.source.model_copy(update={"sha256": sha256})})


def _read_file(path: Path) -> Rows:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            # A file of one array is not a mapping.
            held = {name: arrays[name] for name in getattr(arrays, "files", ())}
    except OSError as error:
        raise MistworksError(
            f"Expected to read the rows of {path.absolute()}, got: {error.strerror or error}. Correct the "
            "path."
        ) from None
    except (ValueError, AttributeError, EOFError) as error:
        raise MistworksError(f"Expected arrays of NumPy (.npz) in {path}, got: {error}.") from None
    if "rows" not in held:
        raise MistworksError(
            f"Expected the array rows in {path}, got {', '.join(held) or 'no .npz'}. Save it with "
            "numpy.savez(path, rows=…, labels=…)."
        )
    return Rows(_values(held["rows"], path), _codes(held.get("labels"), len(held["rows"]), path))


def _values(rows: NDArray[Any], path: Path) -> Array:
    if rows.ndim < 2 or rows.dtype.kind not in "buif" or len(rows) < _LEAST_ROWS:
        raise MistworksError(
            f"Expected rows of numbers in {path}, shape (N, …) with N ≥ {_LEAST_ROWS}, got {rows.dtype} of "
            f"shape {rows.shape}. Stack one observation per row."
        )
    values = rows.reshape(len(rows), -1).astype(np.float64)
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).any(axis=1).sum())
        raise MistworksError(
            f"Expected finite numbers in the rows of {path}, got NaN or infinity in {wrong:,} of "
            f"{len(rows):,}. Leave these rows out."
        )
    return values


def _codes(labels: NDArray[Any] | None, count: int, path: Path) -> Codes | None:
    if labels is None:
        return None
    if labels.shape != (count,) or labels.dtype.kind not in "buiUS":
        raise MistworksError(
            f"Expected one label (a text or an integer) per row in {path}, shape ({count},), got "
            f"{labels.dtype} of shape {labels.shape}. Correct labels, or leave them out."
        )
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.int64)


__all__ = ["Rows", "read_rows", "resolved"]
