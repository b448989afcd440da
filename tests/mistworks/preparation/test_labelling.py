"""Numbers of classes follow from the sample alone: neither names nor the order of rows or columns counts.

The oracle knows no colours: two tables are the same if some order of columns and sides and some reflections
of columns turn the rows of one into the rows of the other.
"""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mistworks.preparation import symmetry
from mistworks.preparation.labelling import canonical_codes
from mistworks.preparation.prepare import half_ranks

Columns = list[np.ndarray]
seeds = st.integers(0, 2**32 - 1)


def labelled(columns: Columns, dx: int, nominal: np.ndarray) -> np.ndarray:
    """Half ranks once the classes are numbered."""
    ranks = half_ranks(np.array(columns, dtype=np.float64))
    if nominal.any():
        ranks[nominal] = half_ranks(canonical_codes(ranks, dx, nominal).astype(np.float64))
    return ranks


def rows_in_order(ranks: np.ndarray) -> bytes:
    return bytes(ranks[:, np.lexsort(ranks[::-1])].tobytes())


def least_form(ranks: np.ndarray, dx: int) -> bytes:
    """The least of all tables of the same sample: by brute force, for few columns."""
    d, n = ranks.shape
    x, y = range(dx), range(dx, d)
    orders = [(*a, *b) for a in itertools.permutations(x) for b in itertools.permutations(y)]
    if 2 * dx == d:
        orders += [(*order[dx:], *order[:dx]) for order in orders]
    return min(
        rows_in_order(np.abs(np.array(signs)[:, None] * (2 * n - 2) - ranks[list(order)]))
        for order in orders
        for signs in itertools.product([0, 1], repeat=d)
    )


def renamed(rng: np.random.Generator, columns: Columns, nominal: np.ndarray) -> Columns:
    """Other names of the classes, and the rows in another order."""
    rows = rng.permutation(len(columns[0]))
    return [
        (rng.permutation(column.max() + 1)[column] if named else column)[rows]
        for column, named in zip(columns, nominal, strict=True)
    ]


def rearranged(
    rng: np.random.Generator, columns: Columns, dx: int, nominal: np.ndarray
) -> tuple[Columns, np.ndarray]:
    """The same with the columns of each side in another order, sides swapped and columns reflected."""
    columns = renamed(rng, columns, nominal)
    d = len(columns)
    order = np.concatenate([rng.permutation(dx), dx + rng.permutation(d - dx)])
    if 2 * dx == d and rng.random() < 0.5:
        order = np.roll(order, dx)
    signs = np.where(nominal, 1, rng.choice([-1, 1], d))
    return [signs[column] * columns[column] for column in order], nominal[order]


def column_of(rng: np.random.Generator, n: int) -> tuple[np.ndarray, bool]:
    """Classes of two to four points each in most draws."""
    size = int(rng.integers(2, 5))
    draws: list[tuple[np.ndarray, bool]] = [
        (rng.permutation(n) // size, True),
        (rng.permutation(n) // size, True),
        (np.arange(n) // size, True),
        (np.arange(n) % max(3, n // size), True),
        (rng.integers(0, n, n), True),
        (rng.integers(0, 4, n), True),
        (rng.integers(0, 3, n), False),
        (rng.permutation(n) % 2, False),
    ]
    column, named = draws[rng.integers(len(draws))]
    if column.min() == column.max():
        column = np.arange(n)
    return np.unique(column, return_inverse=True)[1], named and len(np.unique(column)) > 2


def table_of(rng: np.random.Generator, n: int) -> tuple[Columns, int, np.ndarray]:
    dx, dy = map(int, rng.integers(1, 3, 2))
    columns, nominal = zip(*(column_of(rng, n) for _ in range(dx + dy)), strict=True)
    return list(columns), dx, np.array(nominal)


def circulant(m: int, shifts: tuple[int, ...]) -> np.ndarray:
    return np.array([(i, (i + shift) % m) for i in range(m) for shift in shifts])


def joined(*parts: np.ndarray) -> Columns:
    """Tables of two columns one below the other, with classes of their own."""
    offsets = np.cumsum([0, *(part.max() + 1 for part in parts[:-1])])
    return list(np.concatenate([part + offset for part, offset in zip(parts, offsets, strict=True)]).T)


def cycle(length: int) -> np.ndarray:
    return circulant(length, (0, 1))


# Between them, colours of which refinement alone tells nothing.
HEAWOOD, MOEBIUS_KANTOR, PLAIN = circulant(7, (0, 1, 3)), circulant(8, (0, 1, 3)), circulant(9, (0, 1, 2))
LEAGUE = np.array([(i, j) for i in range(12) for j in range(12) if i != j])
DESIGNS: dict[str, Columns] = {
    "cycles of two lengths": joined(cycle(3), cycle(5), cycle(3)),
    "cycles": joined(*[cycle(length) for length in (40, 7, 7, 12, 2, 2)]),
    "cubic graphs": joined(HEAWOOD, MOEBIUS_KANTOR, PLAIN, HEAWOOD),
    "a league": joined(LEAGUE),
    "leagues": joined(LEAGUE, LEAGUE),
    "a crossed design": joined(np.array(list(itertools.product(range(7), range(9))))),
    "copies": [np.arange(60) // 3, np.arange(60) // 3],
    "a Latin square": [*np.divmod(np.arange(49), 7), np.add(*np.divmod(np.arange(49), 7)) % 7],
    "a path": [np.arange(2_001) // 2, (np.arange(2_001) + 1) // 2],
    "a path beside a cycle": joined(
        np.stack([np.arange(301) // 2, (np.arange(301) + 1) // 2], axis=1), cycle(150)
    ),
    "cells of unlike counts": joined(
        np.array([(0, 0)] * 3 + [(0, 1), (0, 2)] + [(1, 1)] * 2 + [(1, 0), (1, 2)] + [(1, 2)])
    ),
}


class TestInvariance:
    @settings(max_examples=150, deadline=None)
    @given(seeds, st.integers(5, 14))
    def test_small_tables_by_brute_force(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        columns, dx, nominal = table_of(rng, n)
        if not nominal.any():
            return
        expected = least_form(labelled(columns, dx, nominal), dx)
        for _ in range(3):
            again, named = rearranged(rng, columns, dx, nominal)
            assert least_form(labelled(again, dx, named), dx) == expected

    @settings(max_examples=150, deadline=None)
    @given(seeds, st.integers(12, 400))
    @example(0, 100)
    def test_names_and_the_order_of_rows_change_nothing(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        columns, dx, nominal = table_of(rng, n)
        if not nominal.any():
            return
        expected = rows_in_order(labelled(columns, dx, nominal))
        for _ in range(2):
            again = renamed(rng, columns, nominal)
            assert rows_in_order(labelled(again, dx, nominal)) == expected

    @pytest.mark.parametrize("name", DESIGNS)
    def test_designs_that_refinement_alone_leaves_alike(self, name: str) -> None:
        rng = np.random.default_rng(0)
        columns = DESIGNS[name]
        dx, nominal = len(columns) - 1, np.ones(len(columns), dtype=np.bool_)
        expected = rows_in_order(labelled(columns, dx, nominal))
        for _ in range(5):
            again = renamed(rng, columns, nominal)
            assert rows_in_order(labelled(again, dx, nominal)) == expected
        if len(columns[0]) < 200:
            expected = least_form(labelled(columns, dx, nominal), dx)
            for _ in range(5):
                again, _ = rearranged(rng, columns, dx, nominal)
                assert least_form(labelled(again, dx, nominal), dx) == expected

    @pytest.mark.parametrize("size", [2, 3])
    @pytest.mark.parametrize("n", [1_000, 30_000])
    def test_large_tables_of_small_classes(self, n: int, size: int) -> None:
        rng = np.random.default_rng(n)
        columns = [np.arange(n) // 2, rng.permutation(n) // size]
        nominal = np.array([True, True])
        expected = rows_in_order(labelled(columns, 1, nominal))
        assert rows_in_order(labelled(renamed(rng, columns, nominal), 1, nominal)) == expected

    def test_names_change_nothing_where_the_search_is_cut_short(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for limit in ("_FEW_COPIED", "_TIMES_COPIED"):
            monkeypatch.setattr(symmetry, limit, 0)
        rng = np.random.default_rng(0)
        for seed in range(40):
            columns = joined(
                *[
                    circulant(m, tuple(rng.choice(m, 3, replace=False)))
                    for m in np.random.default_rng(seed).integers(5, 12, 4)
                ]
            )
            nominal = np.array([True, True])
            names = [rng.permutation(column.max() + 1) for column in columns]
            again = [name[column] for name, column in zip(names, columns, strict=True)]
            expected = rows_in_order(labelled(columns, 1, nominal))
            assert rows_in_order(labelled(again, 1, nominal)) == expected


class TestOrder:
    def test_classes_keep_their_rows(self) -> None:
        rng = np.random.default_rng(0)
        for seed in range(30):
            columns, dx, nominal = table_of(np.random.default_rng(seed), int(rng.integers(5, 200)))
            ranks = labelled(columns, dx, nominal)
            for column, row in zip(columns, ranks, strict=True):
                pairs = {(int(a), int(b)) for a, b in zip(column, row, strict=True)}
                assert len(pairs) == len(np.unique(column)) == len(np.unique(row))

    def test_few_classes_keep_the_order_of_their_colours(self) -> None:
        """As estimates of earlier versions have it."""
        rng = np.random.default_rng(0)
        few = [rng.integers(0, 6, 300), rng.integers(0, 4, 300)]
        tied = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
        for columns, expected in (
            (few, [[4, 1, 3, 0, 2, 5], [3, 1, 0, 2]]),
            ([tied, np.roll(tied, 1)], [[2, 1, 0], [1, 2, 0]]),
        ):
            codes = canonical_codes(half_ranks(np.array(columns, dtype=np.float64)), 1, np.array([True] * 2))
            for column, code, order in zip(columns, codes, expected, strict=True):
                assert [int(code[column == name][0]) for name in range(column.max() + 1)] == order
