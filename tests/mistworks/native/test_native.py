"""The compiled statistics equal the oracle on every instruction set, and are left out if not built."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mistworks import native
from mistworks.errors import MistworksError
from mistworks.statistics import Ranked, layout, oracle, ranked, statistic_names, summarise_many
from mistworks.statistics import untied as untied_oracle
from tests.mistworks.statistics.test_untied import tiny
from tests.support.native_mix import samples

PROJECT = Path(__file__).parents[3]
TOLERANCE = 1e-5
BUILT = [name for name in native.BUILDS if native.loaded(name) is native._built(name) is not None]

pytestmark = pytest.mark.skipif(not BUILT, reason="needs the compiled statistics")
each_build = pytest.mark.parametrize("build", BUILT)


@pytest.fixture(scope="module")
def mix() -> list[tuple[str, Ranked]]:
    return list(samples())


@pytest.fixture(scope="module")
def expected(mix: list[tuple[str, Ranked]]) -> NDArray[np.float32]:
    return oracle.summarise_many([sample for _, sample in mix])


def draw(n: int = 80, dx: int = 3, dy: int = 2, seed: int = 0) -> Ranked:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dx))
    return Ranked.of(x, np.round(2 * (rng.standard_normal((n, dy)) + 0.8 * x[:, :1])))


@each_build
def test_the_groups_are_those_of_the_layout(build: str) -> None:
    assert native.missing_groups(native.loaded(build)) == ()


def test_builds_are_of_the_same_sources() -> None:
    digest = hashlib.sha256()
    folder = Path(native.__file__).parent
    for path in [*sorted(folder.glob("*.cpp")), *sorted(folder.glob("*.h"))]:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    assert {native.loaded(name).sources() for name in BUILT} == {digest.hexdigest()[:16]}, "run `make native`"


@each_build
def test_every_statistic_equals_the_oracle(
    build: str, mix: list[tuple[str, Ranked]], expected: NDArray[np.float32]
) -> None:
    values = native.summarise_many([sample for _, sample in mix], choice=build)
    wrong = ~(np.abs(values - expected) <= TOLERANCE * (1 + np.abs(expected)))
    differing = Counter(statistic_names()[column] for _, column in np.argwhere(wrong))
    first = [
        f"{statistic_names()[column]} of {mix[row][0]}: {values[row, column]} for {expected[row, column]}"
        for row, column in np.argwhere(wrong)[:10]
    ]
    assert not differing, "\n".join([str(dict(differing)), *first])


@each_build
def test_ties_are_broken_as_by_the_oracle(build: str, mix: list[tuple[str, Ranked]]) -> None:
    for name, sample in mix:
        np.testing.assert_array_equal(native.untied(sample, build), untied_oracle.untied(sample), name)


@each_build
def test_ties_of_samples_with_symmetries_are_broken_as_by_the_oracle(build: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        sample = Ranked.of(*tiny(rng))
        np.testing.assert_array_equal(native.untied(sample, build), untied_oracle.untied(sample))


@each_build
@pytest.mark.parametrize("n", [1, 2, 50, 300, 5_000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint64, np.int16, np.bool_])
def test_half_ranks_are_those_of_numpy(build: str, n: int, dtype: Any) -> None:
    rng = np.random.default_rng(n)
    columns = np.round(rng.standard_normal((3, n)) * [[0.7], [3.0], [1e3]])
    if np.dtype(dtype).kind in "ub":
        columns = np.abs(columns)
    values = columns.astype(dtype)
    np.testing.assert_array_equal(native.half_ranks(values, build), ranked.half_ranks(values))


@each_build
def test_half_ranks_keep_large_integers_apart_and_signed_zeros_together(build: str) -> None:
    large = np.array([[2**62, 2**62 + 1, -(2**62), -(2**62) - 1, 0]])
    assert native.half_ranks(large, build).tolist() == [[6, 8, 2, 0, 4]]
    beyond = np.array([[2**64 - 1, 2**64 - 2, 2**63, 5]], dtype=np.uint64)
    assert native.half_ranks(beyond, build).tolist() == [[6, 4, 2, 0]]
    floats = np.array([[0.0, -0.0, np.inf, -np.inf, 5e-324]])
    assert native.half_ranks(floats, build).tolist() == [[3, 3, 8, 0, 6]]


@each_build
@pytest.mark.parametrize("base", [1.0, 1e9])
def test_half_ranks_of_values_whose_first_digits_are_equal(build: str, base: float) -> None:
    rng = np.random.default_rng(0)
    near = base + 1e-6 * base * np.round(rng.standard_normal((2, 3_000)), 2)
    values = np.concatenate([near, rng.permuted(near, axis=1) * np.where(np.arange(3_000) % 3, 1, -2)])
    np.testing.assert_array_equal(native.half_ranks(values, build), ranked.half_ranks(values))


@each_build
def test_orders_of_points_columns_and_sides_change_nothing(build: str) -> None:
    sample = draw(400, 3, 3)
    rng = np.random.default_rng(1)
    points, x, y = rng.permutation(400), rng.permutation(3), 3 + rng.permutation(3)
    other = Ranked(np.ascontiguousarray(sample.ranks[np.concatenate([y, x])][:, points]), 3)
    both = native.summarise_many([sample, other], choice=build)
    np.testing.assert_allclose(both[1], both[0], rtol=1e-5, atol=1e-5)


@each_build
def test_threads_and_company_change_no_bit(build: str) -> None:
    several = [draw(20 + 7 * seed, 1 + seed % 4, 1 + seed % 3, seed) for seed in range(12)]
    alone = np.concatenate([native.summarise_many([sample], choice=build) for sample in several])
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(native.summarise_many(several, threads, build), alone)


@each_build
def test_the_instruction_sets_agree(build: str) -> None:
    several = [draw(seed=seed) for seed in range(5)]
    first = native.summarise_many(several, choice="baseline")
    np.testing.assert_allclose(native.summarise_many(several, choice=build), first, rtol=1e-5, atol=1e-5)


def test_the_best_instruction_set_is_taken() -> None:
    assert native.loaded() is native.loaded(BUILT[-1])
    assert native.available()


@pytest.mark.parametrize(
    ("ranks", "dx", "error"),
    [
        (np.zeros((2, 9), dtype=np.int64), 1, TypeError),
        (np.zeros((2, 9), dtype=np.float32), 1, TypeError),
        (np.zeros(9, dtype=np.int32), 1, ValueError),
        (np.zeros((2, 4), dtype=np.int32), 1, ValueError),
        (np.zeros((2, 9), dtype=np.int32), 2, ValueError),
        (np.zeros((2, 9), dtype=np.int32), 0, ValueError),
        (np.full((2, 9), 17, dtype=np.int32), 1, ValueError),
        (np.full((2, 9), -1, dtype=np.int32), 1, ValueError),
        (np.zeros((9, 4), dtype=np.int32).T, 1, (ValueError, BufferError)),
        ("ranks", 1, TypeError),
    ],
)
def test_what_are_no_ranks_is_refused(ranks: Any, dx: int, error: type[Exception]) -> None:
    module = native.loaded()
    table = np.empty((1, len(statistic_names())), dtype=np.float32)
    with pytest.raises(error):
        module.summarise_many([(ranks, dx)], table, 1)
    with pytest.raises(ValueError, match="table"):
        module.summarise_many([], table, 1)


def test_without_compiled_code_torch_computes_the_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = draw()
    compiled = summarise_many([sample])
    monkeypatch.setenv("MISTWORKS_NATIVE", "off")
    assert not native.available()
    np.testing.assert_allclose(summarise_many([sample]), compiled, rtol=1e-5, atol=1e-5)
    with pytest.raises(MistworksError, match="Install a C\\+\\+ compiler"):
        native.summarise_many([sample])


def test_other_groups_than_the_layout_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    module = native.loaded()
    groups = {**layout.GROUPS, "tails": {"average": 4}}
    monkeypatch.setattr(native, "GROUPS", groups)
    assert native.missing_groups(module) == ("tails",)
    native._checked.cache_clear()
    assert not native.available()
    native._checked.cache_clear()
    monkeypatch.setattr(native, "GROUPS", dict(reversed(layout.GROUPS.items())))
    assert native.missing_groups(module) == ("order",)


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTWORKS_NATIVE", "neon")
    with pytest.raises(MistworksError, match="off, baseline, avx2, avx512, got 'neon'"):
        native.available()


def test_large_samples_leave_little_memory_behind() -> None:
    rng = np.random.default_rng(0)
    sample = Ranked.of(rng.standard_normal((200_000, 2)), rng.standard_normal((200_000, 2)))
    resident = []
    for _ in range(4):
        native.summarise_many([sample])
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE"))
    assert all(after - before < 16 * 2**20 for before, after in pairwise(resident[1:]))


SANITIZED = """
import importlib.machinery, importlib.util, sys
import numpy as np
from tests.support.native_mix import samples
from tests.mistworks.statistics.test_untied import tiny

name, path = sys.argv[1:]
loader = importlib.machinery.ExtensionFileLoader(name, path)
module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
loader.exec_module(module)
several = [(sample.ranks, sample.dx) for _, sample in samples()]
width = sum(count for *_, count in module.groups())
table = np.empty((len(several), width), dtype=np.float32)
for threads in (1, 3):
    module.summarise_many(several, table, threads)
for ranks, dx in several:
    module.untied(ranks, dx, np.empty_like(ranks))
    module.half_ranks(ranks.astype(np.float64), np.empty_like(ranks))
assert np.isfinite(table).all()
print("clean")
"""


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # compiling takes minutes
@each_build
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_sanitizers_see_neither_wrong_addresses_nor_undefined_behaviour(build: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CXXFLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=undefined -O1",
        "LDFLAGS": "-fsanitize=address,undefined",
        "MISTWORKS_BUILDS": build,
    }
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(tmp_path)]
    command += ["--build-temp", str(tmp_path / "objects")]
    subprocess.run(command, cwd=PROJECT, env=environment, check=True)
    (library,) = tmp_path.rglob("*.so")
    runtimes = [
        subprocess.check_output(["g++", f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    options = "detect_leaks=0:hard_rss_limit_mb=6000"
    sanitized = subprocess.run(
        [sys.executable, "-c", SANITIZED, f"_{build}", str(library)],
        cwd=PROJECT,
        env={**os.environ, "LD_PRELOAD": ":".join(runtimes), "ASAN_OPTIONS": options},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sanitized.stdout == "clean\n", sanitized.stderr[-5000:]


FALLBACK = """
import numpy as np
from mistworks import native
from mistworks.statistics import Ranked, summarise_many
import mistworks

rng = np.random.default_rng(0)
sample = Ranked.of(rng.standard_normal((30, 2)), rng.standard_normal((30, 1)))
print(native.available(), np.isfinite(summarise_many([sample])).all(), mistworks.__file__)
"""


@pytest.mark.slow
def test_an_install_without_a_compiler_falls_back_to_torch(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "*.so", ".*_cache", "__pycache__")
    shutil.copytree(PROJECT, source, ignore=ignored)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--target", str(target), str(source)],
        env={**os.environ, "CXX": "/bin/false", "CC": "/bin/false"},
        check=True,
    )
    printed = subprocess.check_output(
        [sys.executable, "-c", FALLBACK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        text=True,
    )
    assert printed == f"False True {target / 'mistworks' / '__init__.py'}\n"


def test_a_module_is_asked_once_what_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = native.loaded("baseline")
    asked: list[object] = []

    def missing_groups(asked_of: object) -> tuple[str, ...]:
        asked.append(asked_of)
        return ()

    monkeypatch.setenv("MISTWORKS_NATIVE", "baseline")
    monkeypatch.setattr(native, "missing_groups", missing_groups)
    native._checked.cache_clear()
    assert native.available()
    assert native.available()
    native._checked.cache_clear()
    assert asked == [module]
