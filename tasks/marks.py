"""Progress within running shares, according to the marks that items leave."""

import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from mistworks.errors import MistworksError
from tasks.jobs import Share

if TYPE_CHECKING:
    import distributed

    Shares = Mapping[distributed.Future[Any], Share]

__all__ = ["Marks"]


class Marks:
    """Count finished items of running shares, whose items are done in order.

    This runs in a thread, since a place that does not answer is asked for minutes before that is an error.
    """

    def __init__(self) -> None:
        self._counts: dict[distributed.Future[Any], int] = {}
        self._errors: list[Exception] = []
        self._thread: threading.Thread | None = None
        self._complained = False

    def look(self, shares: "Shares") -> None:
        """Read the marks of some shares, unless the previous reading is still in progress."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._read, args=(dict(shares),), daemon=True)
            self._thread.start()

    def among(self, running: "Collection[distributed.Future[Any]]") -> int:
        """Items of running shares that are known to be done."""
        return sum(self._counts.get(future, 0) for future in running)

    def complaint(self) -> str | None:
        """Say once why marks could not be read. The work goes on, and reports its own failures."""
        if self._complained or not self._errors:
            return None
        self._complained = True
        return f"Progress cannot be read at the moment ({self._errors[0]})."

    def _read(self, shares: "Shares") -> None:
        counts = {future: self._counts.get(future, 0) for future in shares}
        try:
            for future, share in shares.items():
                if (is_done := share.queue.job.is_done) is not None:
                    while counts[future] < len(share.items) and is_done(share.items[counts[future]]):
                        counts[future] += 1
        except (MistworksError, OSError) as error:
            self._errors.append(error)
        self._counts = counts
