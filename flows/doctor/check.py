"""What one check gives, and what checks share."""

import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import httpx

CONNECT_SECONDS = 5.0
# Object stores refuse requests that are signed 15 minutes off.
CLOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Check:
    """What one check saw.

    Attributes:
        name: what was checked.
        ok: whether it is as a run needs it.
        what: what was seen.
        remedy: what to do about it, empty if nothing.
    """

    name: str
    ok: bool
    what: str
    remedy: str = ""

    @classmethod
    def of(cls, name: str, ok: bool, what: str, remedy: str) -> "Check":
        """A check whose remedy is given only where it failed."""
        return cls(name, ok, what, "" if ok else remedy)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        return asdict(self)


def http_client(**options: Any) -> httpx.Client:
    """A client that waits for seconds only, and takes no proxy from the environment."""
    return httpx.Client(timeout=CONNECT_SECONDS, trust_env=False, **options)


def same_version(name: str, url: str, package: str, there: str) -> Check:
    """Whether a service has the version of a package that is installed here."""
    here = version(package)
    if there == here:
        return Check(name, True, f"{url}, version {there}")
    return Check(name, False, f"{url}, version {there}, and {here} here", "Install the same version on both.")


def seconds_off(there: float, before: float, after: float | None = None) -> float:
    """By how much a clock is off that was read between two moments of this one, the second now if None."""
    return max(before - there, there - (time.time() if after is None else after), 0.0)


def clock(name: str, where: str, off: float) -> Check:
    """Whether a clock agrees with this machine's."""
    return Check.of(name, off <= CLOCK_SECONDS, f"{where} is {off:.1f} s off", "Set both clocks by NTP.")


__all__ = ["CLOCK_SECONDS", "CONNECT_SECONDS", "Check", "clock", "http_client", "same_version", "seconds_off"]
