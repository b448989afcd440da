"""A matrix as a page of HTML that needs no other file, and as lines of text."""

from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np

from mistworks.tables.heat_map import COLOURS, clustered, hex_colours, shortened

if TYPE_CHECKING:
    import pandas as pd

_CELL, _LETTER, _GAP = 16, 6.2, 6
_NUMBERS = {"mi": "MI (nats)", "lower": "lower", "upper": "upper", "n": "rows", "p_value": "p"}


def render(
    title: str, about: str, table: "pd.DataFrame", normalized: "pd.DataFrame", mi: "pd.DataFrame"
) -> str:
    """Render a page with a heat map and a table of pairs that is sorted by clicks.

    Args:
        title: heading.
        about: a sentence below it.
        table: `Matrix.table`.
        normalized: `Matrix.normalized`.
        mi: `Matrix.mi`.

    Raises:
        MistworksError: matplotlib or SciPy is missing.
    """
    template = Template(files("mistworks.tables").joinpath("page.html").read_text(encoding="utf-8"))
    head, body = _table(table)
    return template.substitute(
        title=escape(title),
        about=escape(about),
        map=_svg(normalized, mi),
        scale=", ".join(hex_colours(np.linspace(0, 1, 9)[None], COLOURS)[0]),
        head=head,
        body=body,
    )


def as_text(about: str, table: "pd.DataFrame", level: float, most: int) -> str:
    """List the strongest pairs for a terminal."""
    columns = [table[name].head(most).tolist() for name in ("a", "b", "mi", "lower", "upper", "n")]
    rows = [
        (str(a), str(b), _figure(mi), f"[{_figure(lower)}, {_figure(upper)}]", f"{n:,}")
        for a, b, mi, lower, upper, n in zip(*columns, strict=True)
    ]
    head = ("", "", "MI", f"{100 * level:g} % interval", "n")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    aligned = [
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    rest = len(table) - len(rows)
    more = [f"and {rest:,} more: see .table()"] if rest else []
    return "\n".join([about, *aligned, *more])


def as_html(about: str, table: "pd.DataFrame", most: int) -> str:
    """List the strongest pairs for a notebook."""
    head, body = _table(table.head(most))
    rest = len(table) - most
    more = f"<p>and {rest:,} more: see <code>.table()</code></p>" if rest > 0 else ""
    return f"<p>{escape(about)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _figure(value: float) -> str:
    return "∞" if value == np.inf else "–" if np.isnan(value) else f"{value:.3f}"


def _table(table: "pd.DataFrame") -> tuple[str, str]:
    """Cells of the head and rows of the body; names are data and are escaped."""
    names = list(table.columns)
    head = "".join(
        f'<th data-kind="{"text" if name in ("a", "b") else "number"}">{_NUMBERS.get(name, name)}</th>'
        for name in names
    )
    rows = ("".join(map(_cell, names, row)) for row in table.itertuples(index=False))
    return head, "\n".join(f"<tr>{row}</tr>" for row in rows)


def _cell(name: str, value: Any) -> str:
    if name in ("a", "b"):
        return f"<td>{escape(str(value))}</td>"
    if name == "significant":
        return f'<td data-value="{int(value)}">{"yes" if value else "no"}</td>'
    if name == "n":
        return f'<td data-value="{value}">{value:,}</td>'
    if np.isnan(value):
        return '<td data-value="">–</td>'
    text = f"{value:.2g}" if name == "p_value" else _figure(value)
    return f'<td data-value="{value}">{text}</td>'


def _svg(normalized: "pd.DataFrame", mi: "pd.DataFrame") -> str:
    """A clustered heat map; the pointer shows what a cell holds."""
    nats = mi.to_numpy()
    values = normalized.to_numpy(copy=True)
    order = clustered(values)
    np.fill_diagonal(values, np.nan)
    colours = hex_colours(values, COLOURS)
    names = list(normalized.index)
    labels = [shortened(names[position]) for position in order]
    margin = _GAP + _LETTER * max(map(len, labels))
    side = margin + _CELL * len(labels)
    parts = [f'<svg viewBox="0 0 {side:.0f} {side:.0f}" width="{side:.0f}" role="img">']
    for row, label in enumerate(labels):
        middle = margin + _CELL * (row + 0.5)
        parts.append(f'<text x="{margin - _GAP:.1f}" y="{middle:.1f}" class="row">{escape(label)}</text>')
        turned = f"translate({middle:.1f} {margin - _GAP:.1f}) rotate(-90)"
        parts.append(f'<text transform="{turned}">{escape(label)}</text>')
    for row, i in enumerate(order.tolist()):
        for column, j in enumerate(order.tolist()):
            what = names[i] if i == j else f"{names[i]} – {names[j]}: {_shown(nats[i, j], values[i, j])}"
            parts.append(
                f'<rect x="{margin + _CELL * column:.1f}" y="{margin + _CELL * row:.1f}" width="{_CELL - 1}" '
                f'height="{_CELL - 1}" fill="{colours[i][j]}"><title>{escape(str(what))}</title></rect>'
            )
    return "".join([*parts, "</svg>"])


def _shown(nats: float, normalized: float) -> str:
    return "no estimate" if np.isnan(nats) else f"{_figure(nats)} nats, normalized {normalized:.2f}"


__all__ = ["as_html", "as_text", "render"]
