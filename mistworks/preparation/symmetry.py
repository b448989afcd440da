"""Separate classes that colour refinement leaves equal, independent of names and of the order of rows.

Rows and classes are the nodes of a graph, and a row is joined to its classes. Colours are refined (Weisfeiler
and Leman, 1968). Nodes with unique colours are removed, and the graph falls into parts:

1. Parts are settled one by one. Parts that get the same certificate, a hash of their rows after all of their
   classes are settled, are isomorphic, so that they can be put in any order.
2. In a part with at most one cycle, nodes of one colour are symmetric: such parts are quotients of one tree,
   which their colours determine, by a shift whose length is the size of the part. One node of a colour is
   singled out, whichever it is.
3. In other parts, the number of short cycles through each class refines colours further.
4. Where that does not help either, each class of the rarest colour is singled out in a copy of the part, and
   the copy with the least certificate decides (individualisation and refinement: McKay and Piperno,
   "Practical graph isomorphism, II", J. Symbolic Computation 60, 2014).
5. Where the copies would be too large, of the most frequent colour the class that comes first in the graph is
   singled out. The result is still right if these classes are symmetric, as in balanced designs; if not, it
   depends on the order of rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistworks.preparation.incidence import Graph, Grouped, Indices, blocks, refined, walked
from mistworks.statistics.untied import Keys, copies, hashed

_SINGLED_OUT = np.uint64(0x5851F42D4C957F2D)
# Maximum number of incidences of copies, and their maximum ratio to those of the graph.
_FEW_COPIED = 2**16
_TIMES_COPIED = 8
# With more equal classes than this in a part too large to search, half of them are singled out at once.
_FEW_ALIKE = 64


def settled(graph: Graph, rows: Keys, classes: Keys) -> Keys:
    """Return different colours for all classes, given colours that determine the columns of the classes.

    Args:
        graph: the rows and their classes; symmetric ones are separated by their order here.
        rows: colours of the rows, by all their other values.
        classes: colours of the classes.
    """
    most = _FEW_COPIED + _TIMES_COPIED * len(graph.rows)
    return _settled(graph, rows, classes, np.zeros(len(classes), dtype=np.intp), most)


def _settled(graph: Graph, rows: Keys, classes: Keys, spaces: Indices, most: int) -> Keys:
    """Return colours that are different within each space. Spaces do not affect each other."""
    rows, classes = refined(graph, rows, classes)
    final = classes.copy()
    number, alike = copies(_within(classes, spaces))
    graph, rows, kept = _sparse(graph, rows, _within(classes, spaces), alike > 1)
    # Among classes that are joined to no other equal ones, any may come first.
    alone = alike > 1
    alone[kept] = False
    final[alone] = hashed(final[alone] + number[alone])
    if not len(kept):
        return final
    classes, spaces = classes[kept], spaces[kept]
    part = graph.parts()
    search = _Search.of(graph, classes, part, most)
    if search.cyclic.any():
        further = walked(graph, classes, search.cyclic[part])
        if further is not classes:
            final[kept] = _settled(graph, rows, further, spaces, most)
            return final
    final[kept] = search.settled(graph, rows, classes, spaces, most)
    return final


def _within(colours: Keys, groups: Indices) -> Keys:
    return hashed(colours + hashed(groups.astype(np.uint64)))


def _sparse(graph: Graph, rows: Keys, classes: Keys, alike: NDArray[np.bool_]) -> tuple[Graph, Keys, Indices]:
    """Return the graph of equal classes, the colours of its rows, and its classes. If most classes of one
    colour share rows with most of another, pairs without a row replace pairs with one: the missing matches of
    a league.
    """
    graph, kept, nodes = graph.among(alike)
    rows, starts = rows[kept], graph.row_starts
    two = np.flatnonzero(np.diff(starts, append=len(graph.rows)) == 2)
    if not len(two):
        return graph, rows, nodes
    members = Grouped.of(np.unique(classes[nodes], return_inverse=True)[1])
    low, high = graph.classes[starts[two]], graph.classes[starts[two] + 1]
    low, high = np.where(members.groups[low] < members.groups[high], (low, high), (high, low))
    groups = len(members.lengths)
    pairs, of_row, count = np.unique(
        members.groups[low] * groups + members.groups[high], return_inverse=True, return_counts=True
    )
    of_low, of_high = np.divmod(pairs, groups)
    colours = np.empty(len(pairs), dtype=np.uint64)
    colours[of_row] = rows[two]
    mixed = np.bincount(of_row, weights=rows[two] != colours[of_row]) > 0
    dense = (2 * count > members.lengths[of_low] * members.lengths[of_high]) & ~mixed
    if not dense.any():
        return graph, rows, nodes
    table, a, b = _all_pairs(members, of_low[dense], of_high[dense])
    replaced = dense[of_row]
    missing = ~np.isin(a * len(nodes) + b, low[replaced] * len(nodes) + high[replaced])
    stays = np.ones(len(rows), dtype=np.bool_)
    stays[two[replaced]] = False
    kept, rows = np.flatnonzero(stays[graph.rows]), rows[stays]
    joined = Graph(
        np.append(
            (np.cumsum(stays) - 1)[graph.rows[kept]], len(rows) + np.repeat(np.arange(missing.sum()), 2)
        ),
        np.append(graph.classes[kept], np.stack([a[missing], b[missing]], axis=1)),
    )
    rows = np.append(rows, hashed(~colours[dense])[table[missing]])
    joined, kept, of_node = joined.among(np.ones(len(nodes), dtype=np.bool_))
    return joined, rows[kept], nodes[of_node]


def _all_pairs(members: Grouped, first: Indices, second: Indices) -> tuple[Indices, Indices, Indices]:
    """Return all pairs of members of first and second groups, with the positions of their groups."""
    width = members.lengths[second]
    table, place = blocks(np.zeros_like(first), members.lengths[first] * width, np.arange(len(first)))
    a, b = np.divmod(place, width[table])
    return (
        table,
        members.order[members.starts[first][table] + a],
        members.order[members.starts[second][table] + b],
    )


@dataclass(frozen=True, eq=False)
class _Search:
    """The classes to single out in each part of a graph with refined colours.

    Attributes:
        part: part of each class.
        copies: number of copies of each part to try.
        chosen: the classes to single out; none in parts with a class of unique colour.
        tried: copy of its part in which each is singled out.
        cyclic: mask of parts with several cycles and without a class of unique colour.
    """

    part: Indices
    copies: Indices
    chosen: Indices
    tried: Indices
    cyclic: NDArray[np.bool_]

    @classmethod
    def of(cls, graph: Graph, classes: Keys, part: Indices, most: int) -> "_Search":
        """Choose what to try in copies with at most ``most`` incidences in total."""
        alike = copies(_within(classes, part))[1].astype(np.intp)
        rarest = _first_of_each(part, np.lexsort((classes, alike, part)))
        frequent = _first_of_each(part, np.lexsort((classes, -alike, part)))
        incidences = np.bincount(part[graph.classes])
        nodes = np.bincount(part) + np.bincount(part[graph.classes[graph.row_starts]])
        tied = alike[rarest] > 1
        cyclic = (incidences > nodes) & tied
        searched = cyclic & _affordable(alike[rarest] * incidences, cyclic, most)
        cell = np.where(searched, rarest, frequent)
        size = alike[cell]
        halved = cyclic & ~searched & (size > _FEW_ALIKE)
        singled_out = np.where(searched, size, np.where(halved, size // 2, tied))
        members = np.flatnonzero(classes == classes[cell][part])
        place = Grouped.of(part[members]).places
        taken = place < singled_out[part[members]]
        chosen = members[taken]
        tried = np.where(searched[part[chosen]], place[taken], 0)
        return cls(part, np.where(searched, size, 1), chosen, tried, cyclic)

    def settled(self, graph: Graph, rows: Keys, classes: Keys, spaces: Indices, most: int) -> Keys:
        """Return colours that are different within each space."""
        copied = _Copies.of(graph, self.part, self.copies)
        colours = classes[copied.classes]
        singled = copied.position(self.chosen, copied.first[self.part[self.chosen]] + self.tried)
        colours[singled] = hashed(colours[singled] + _SINGLED_OUT)
        colours = _settled(copied.graph, rows[copied.rows], colours, copied.of_class, most)
        certificates = copied.certificates(rows, colours)
        least = _first_of_each(copied.part, np.lexsort((certificates, copied.part)))
        final = colours[copied.position(np.arange(len(classes)), least[self.part])]
        space = np.empty(len(least), dtype=np.intp)
        space[self.part] = spaces
        # Parts with one certificate are isomorphic.
        number = copies(_within(certificates[least], space))[0]
        return hashed(final + hashed(number)[self.part])


def _first_of_each(groups: Indices, order: Indices) -> Indices:
    """Return the first of each group in an order by groups."""
    return np.asarray(order[np.flatnonzero(np.diff(groups[order], prepend=-1))])


def _affordable(costs: Indices, wanted: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """Return the cheapest of the wanted ones within a total cost; among equal costs, all or none."""
    _, inverse = np.unique(costs, return_inverse=True)
    total = np.cumsum(np.bincount(inverse, weights=costs * wanted))
    return np.asarray((total <= most)[inverse])


@dataclass(frozen=True, eq=False)
class _Copies:
    """Copies of the parts of a graph, side by side.

    Attributes:
        graph: the graph of the copies.
        rows: original of each row.
        classes: original of each class.
        of_class: copy of each class.
        part: original part of each copy.
        first: first copy of each part.
    """

    graph: Graph
    rows: Indices
    classes: Indices
    of_class: Indices
    part: Indices
    first: Indices
    _starts: Indices
    _places: Indices

    @classmethod
    def of(cls, graph: Graph, part: Indices, times: Indices) -> "_Copies":
        """Copy each part this many times, at least 1."""
        copied_part = np.repeat(np.arange(len(times)), times)
        of_incidence = part[graph.classes]
        incidences = Grouped.of(of_incidence)
        rows = Grouped.of(of_incidence[graph.row_starts])
        classes = Grouped.of(part)
        copy, incidence = incidences.repeated(copied_part)
        _, row = rows.repeated(copied_part)
        of_class, kept = classes.repeated(copied_part)
        row_offsets, class_offsets = rows.offsets(copied_part), classes.offsets(copied_part)
        joined = Graph(
            row_offsets[copy] + rows.places[graph.rows[incidence]],
            class_offsets[copy] + classes.places[graph.classes[incidence]],
        )
        first = np.cumsum(times) - times
        return cls(joined, row, kept, of_class, copied_part, first, class_offsets, classes.places)

    def position(self, classes: Indices, copy: Indices) -> Indices:
        """Return positions of classes in copies."""
        return self._starts[copy] + self._places[classes]

    def certificates(self, rows: Keys, colours: Keys) -> Keys:
        """Return a hash of each copy's rows, given different colours of all classes."""
        content = hashed(rows[self.rows] + self.graph.of_rows(hashed(colours)[self.graph.classes]))
        of_row = self.of_class[self.graph.classes[self.graph.row_starts]]
        return np.asarray(np.add.reduceat(hashed(content), np.flatnonzero(np.diff(of_row, prepend=-1))))


__all__ = ["settled"]
