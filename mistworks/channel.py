"""Information through a channel whose conditional density is known: bounds without an estimator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mistworks.errors import MistworksError

_BITS_PER_NAT = 1 / math.log(2)


@dataclass(frozen=True, slots=True)
class ChannelInformation:
    """Bounds on I(X;Z), or on I(X;Z|Q) with groups, in nats. They are not clipped at 0.

    Attributes:
        lower: the lower bound, at most ``ceiling``.
        upper: the upper bound; None for the likelihoods of a proxy, of which it is no bound. Infinite where
            no other context could have given a draw.
        lower_se: standard error of ``lower``, over contexts; None for a single one.
        upper_se: standard error of ``upper``.
        ceiling: log N for N contexts, on average over draws with groups. A lower bound close to it says that
            there is at least as much information as N contexts can show: pass more.
        contexts: number of contexts.
        draws: number of draws.
        tokens: mean number of tokens per draw; None if none were passed.
    """

    lower: float
    upper: float | None
    lower_se: float | None
    upper_se: float | None
    ceiling: float
    contexts: int
    draws: int
    tokens: float | None = None

    @property
    def bits(self) -> tuple[float, float | None]:
        """The bounds in bits."""
        return self._scaled(_BITS_PER_NAT)

    @property
    def per_token(self) -> tuple[float, float | None]:
        """The bounds in nats per token: the information of all draws over their number of tokens.

        Raises:
            MistworksError: no numbers of tokens were passed.
        """
        if self.tokens is None:
            raise MistworksError("Expected numbers of tokens, got none. Pass tokens= to channel_information.")
        return self._scaled(1 / self.tokens)

    def _scaled(self, factor: float) -> tuple[float, float | None]:
        return self.lower * factor, None if self.upper is None else self.upper * factor

    def __str__(self) -> str:
        upper = "" if self.upper is None else f", at most {self.upper:.3f}"
        return (
            f"at least {self.lower:.3f}{upper} nats, from {self.draws:,} draws of {self.contexts:,} "
            f"contexts, which can show {self.ceiling:.3f}"
        )


def channel_information(
    log_likelihoods: ArrayLike,
    *,
    contexts: ArrayLike | None = None,
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    tokens: ArrayLike | None = None,
    proxy: bool = False,
) -> ChannelInformation:
    """Bound I(X;Z) from log p(z | x) of draws z under contexts x: an encoder, a language model, a channel.

    With draws zᵢ from contexts x_c(i) among N independent contexts,

    - lower: ⟨log p(zᵢ | x_c(i)) − log (1/N) Σₗ p(zᵢ | xₗ)⟩, at most log N. If X is uniform on the N contexts
      themselves, this is I(X;Z) but for the error of the draws.
    - upper: the same over the N − 1 contexts l ≠ c(i).

    Poole, Ozair, van den Oord, Alemi, Tucker, "On variational bounds of mutual information", ICML 2019. With
    likelihoods of a proxy, a model other than the one that gave the draws, the lower bound still holds and
    the upper one does not.

    Args:
        log_likelihoods: log p(zᵢ | xₗ) in nats in row l and column i, shape (N, M). Minus infinity says that
            a context cannot give a draw.
        contexts: c(i), the row whose context gave each draw, shape (M,); for several draws of each
            context ``np.repeat(np.arange(N), draws)``. By default context i gave draw i, and M = N.
        groups: group q of each context, shape (N,), for I(X;Z|Q): a draw is compared with the contexts of its
            own group alone.
        tokens: number of tokens of each draw, shape (M,), for `ChannelInformation.per_token`.
        proxy: whether the likelihoods are those of another model than the one that gave the draws.

    Raises:
        MistworksError: shapes do not fit, a number is NaN or plus infinity, a draw cannot come from its
            context, or a group has fewer than 2 contexts.
    """
    values = _checked(log_likelihoods)
    count, draws = values.shape
    origin = _origins(contexts, count, draws)
    mean_tokens = None if tokens is None else _mean_tokens(tokens, draws)
    own = values[origin, np.arange(draws)]
    if not np.isfinite(own).all():
        first = int(np.flatnonzero(~np.isfinite(own))[0])
        raise MistworksError(
            f"Expected every draw to be possible in its context, but draw {first} has log-likelihood "
            f"{own[first]} in context {origin[first]}. Pass contexts= if draws are in another order."
        )
    lower, upper, ceiling = np.empty(draws), np.empty(draws), np.empty(draws)
    for rows in _groups(groups, count):
        columns = np.flatnonzero(rows[origin])
        part = values[np.ix_(rows, columns)]
        others = part.copy()
        # Rows of the part are numbered anew.
        others[np.cumsum(rows)[origin[columns]] - 1, np.arange(len(columns))] = -np.inf
        size = int(rows.sum())
        lower[columns] = own[columns] - _log_sum_exp(part) + math.log(size)
        upper[columns] = own[columns] - _log_sum_exp(others) + math.log(size - 1)
        ceiling[columns] = math.log(size)
    return ChannelInformation(
        float(lower.mean()),
        None if proxy else float(upper.mean()),
        _error(lower, origin),
        None if proxy else _error(upper, origin),
        float(ceiling.mean()),
        count,
        draws,
        mean_tokens,
    )


def _checked(log_likelihoods: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(log_likelihoods, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 1:
        raise MistworksError(
            f"Expected log-likelihoods of shape (N, M) with at least 2 contexts, got {values.shape}. Put "
            "contexts in rows and draws in columns."
        )
    if np.isnan(values).any() or np.isposinf(values).any():
        raise MistworksError(
            "Expected log-likelihoods that are numbers or minus infinity, got NaN or infinity."
        )
    return values


def _origins(contexts: ArrayLike | None, count: int, draws: int) -> NDArray[np.int64]:
    if contexts is None:
        if draws != count:
            raise MistworksError(
                f"Expected as many draws as contexts, got {draws} and {count}. Say with contexts= which row "
                "gave each draw."
            )
        return np.arange(draws)
    origin = np.asarray(contexts)
    if origin.shape != (draws,) or not np.issubdtype(origin.dtype, np.integer):
        raise MistworksError(
            f"Expected one row number for each of {draws} draws in contexts, got {contexts!r}."
        )
    outside = origin[(origin < 0) | (origin >= count)]
    if len(outside):
        raise MistworksError(f"Expected row numbers from 0 to {count - 1} in contexts, got {outside[0]}.")
    return np.asarray(origin, dtype=np.int64)


def _groups(groups: Sequence[object] | NDArray[np.generic] | None, count: int) -> list[NDArray[np.bool_]]:
    """The contexts of each group, as masks of shape (N,)."""
    if groups is None:
        return [np.ones(count, dtype=np.bool_)]
    given = np.asarray(groups)
    if given.shape != (count,):
        raise MistworksError(f"Expected one group for each of {count} contexts, got shape {given.shape}.")
    _, numbers, sizes = np.unique(given, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        raise MistworksError("Expected at least 2 contexts in each group, got 1. Leave such groups out.")
    return [numbers == number for number in range(len(sizes))]


def _mean_tokens(tokens: ArrayLike, draws: int) -> float:
    given = np.asarray(tokens, dtype=np.float64)
    if given.shape != (draws,) or not (given > 0).all():
        raise MistworksError(
            f"Expected a number of tokens above 0 for each of {draws} draws, got {tokens!r}."
        )
    return float(given.mean())


def _log_sum_exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log Σₗ e^v over rows, shape (M,); minus infinity for columns that hold nothing else."""
    largest = values.max(axis=0)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(values - shift).sum(axis=0)) + shift)


def _error(terms: NDArray[np.float64], origin: NDArray[np.int64]) -> float | None:
    """Standard error of the mean over contexts, whose draws are not independent of one another."""
    if not np.isfinite(terms).all():
        return None
    draws = np.bincount(origin)
    sums = np.bincount(origin, weights=terms - terms.mean())[draws > 0]
    count = len(sums)
    if count < 2:
        return None
    return math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(terms)


__all__ = ["ChannelInformation", "channel_information"]
