"""Which columns of a table are meant: names, patterns of names, and what to say of others."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from mistworks.errors import MistworksError

_MOST_LISTED = 12
_WILD = frozenset("*?[")


def choose_columns(
    known: Sequence[str], wanted: Mapping[str, Sequence[str]], name: str, *, apart: bool = True
) -> dict[str, list[str]]:
    """Return the columns that are meant by each of several options, each once and in the order of the text.

    A name means that column, whatever characters are in it. A pattern with ``*``, ``?`` or ``[…]`` means all
    columns that match, but those that another option names: ``*`` as x and ``c`` as y leave ``c`` out of x.

    Args:
        known: names of the columns of the table.
        wanted: names and patterns by option.
        name: what errors call the table.
        apart: whether no column may be meant by two options.

    Raises:
        MistworksError: a column is unknown, a pattern matches none, or a column is meant by two options.
    """
    columns = set(known)
    if unknown := [each for texts in wanted.values() for each in texts if not _meant(each, known)]:
        raise _unknown(unknown, known, name)
    exact = {option: columns & set(texts) for option, texts in wanted.items()}
    chosen: dict[str, list[str]] = {}
    for option, texts in wanted.items():
        of_others = set().union(*(names for other, names in exact.items() if other != option))
        left_out = of_others - exact[option] if apart else set()
        matched = [column for text in texts for column in _meant(text, known)]
        chosen[option] = [column for column in dict.fromkeys(matched) if column not in left_out]
        if texts and not chosen[option]:
            raise MistworksError(
                f"Expected columns of {name} that only {option} names, got {', '.join(map(repr, texts))}, "
                "whose columns others name. Choose others."
            )
    if apart:
        _require_apart(chosen)
    return chosen


def _meant(text: str, known: Sequence[str]) -> list[str]:
    if text in known:
        return [text]
    if not _WILD & set(text):
        return []
    return [column for column in known if fnmatchcase(column, text)]


def _unknown(unknown: Sequence[str], known: Sequence[str], name: str) -> MistworksError:
    listed = f"{', '.join(known[:_MOST_LISTED])}{', …' * (len(known) > _MOST_LISTED)}"
    lowered = {column.lower(): column for column in known}
    near = [
        lowered[match]
        for each in unknown
        for match in get_close_matches(each.lower(), lowered, n=1, cutoff=0.6)
    ]
    advice = f"Did you mean {' or '.join(dict.fromkeys(near))}?" if near else "Choose among them."
    return MistworksError(
        f"Expected columns of {name} ({listed}), got {', '.join(map(repr, dict.fromkeys(unknown)))}. {advice}"
    )


def _require_apart(chosen: Mapping[str, Sequence[str]]) -> None:
    options = list(chosen)
    for place, option in enumerate(options):
        for other in options[place + 1 :]:
            if shared := [column for column in chosen[option] if column in set(chosen[other])]:
                listed = f"{', '.join(shared[:_MOST_LISTED])}{', …' * (len(shared) > _MOST_LISTED)}"
                raise MistworksError(
                    f"Expected different columns as {option} and {other}, got {listed} in both. Name each "
                    "column once."
                )


__all__ = ["choose_columns"]
