"""How long one estimator takes beside another, as a figure that repeats on a busy machine."""

import time
from collections.abc import Callable

import numpy as np

TURNS = (5, 30)
"""Least and greatest number of turns that are counted."""
SECONDS = 5.0
"""After so long no turn is begun beyond the least number."""

Work = Callable[[int], object]
"""Does the piece of work of a number."""


def time_share(
    first: Work,
    second: Work,
    pieces: int,
    *,
    timer: Callable[[], float] = time.process_time,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Time of the first as a share of the second's: of each piece of work the shortest of many turns, summed.

    Whatever else runs on the machine makes a piece longer and never shorter. So the shortest of many turns is
    what the piece takes when nothing disturbs it, and small pieces are more often undisturbed than large
    ones. Time is that of the processor, in all threads of this process: a wait for another process does not
    count. The two take turns with every piece, each first as often as the other, so that a machine that slows
    down does so for both.

    Args:
        first: what is timed.
        second: what it is compared with.
        pieces: each is given the numbers from 0 up to this one.
        timer: the time that counts.
        clock: what bounds the number of turns, see ``SECONDS``.
    """
    works = (first, second)
    shortest = np.full((2, pieces), np.inf)
    for work in works:
        work(0)
    started = clock()
    for turn in range(TURNS[1]):
        if turn >= TURNS[0] and clock() - started >= SECONDS:
            break
        for piece in range(pieces):
            for which in (0, 1) if (turn + piece) % 2 == 0 else (1, 0):
                before = timer()
                works[which](piece)
                shortest[which, piece] = min(shortest[which, piece], timer() - before)
    total = shortest.sum(axis=1)
    return float(total[0] / total[1])


__all__ = ["time_share"]
