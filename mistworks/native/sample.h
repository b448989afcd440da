// One sample as the groups of statistics see it, with what several of them need.
//
// How to add a group of statistics
// --------------------------------
// 1. A file `name.cpp` with the formula at its head and a function `void name(Sample& sample)`. It appends its values
//    with `sample.put(v)` and `sample.both_sides(of_x, of_y)` (the greater first), always the same number of them.
// 2. Its declaration in groups.h and one line in the table of groups.cpp: {group, statistic, how many, function}, in
//    the order of `mistworks/statistics/layout.py`.
// setup.py compiles every .cpp of this folder: `python setup.py build_ext --inplace`, or `make native`.
//
// What there is: memory by `sample.arena.get<T>(count)` and `zeros<T>` (free again when the group returns; never new or
// a std::vector of length n in an inner loop); algebra.h (gemm_nt, cholesky, inverse_factor, eigenvalues, gaussian_mi,
// squared_canonical, quantiles); whitening.h (L⁻¹z and its squares, block by block of points); special.h (digamma,
// psi of counts, trigamma, Φ⁻¹, signed_log); hash.h (`hashed`, as in sample.py); distances.h (rows of distances,
// nearest neighbours, counts within radii); simd.h (vectors). Loop over points in blocks of BLOCK with `gather`, so
// that nothing of size n × d is stored: n may be a million.
//
// Traps: nothing may depend on the order of points or columns beyond rounding; the flags are those of setup.py, never
// -ffast-math (it deletes rounding tricks); infinities and NaN compare as IEEE says; exceptions are only std::bad_alloc.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "arena.h"
#include "special.h"

namespace mistworks {

// Points that statistics of quadratic cost are computed on, where there are more; the queries of others.
constexpr int SUBSET = 512;
// Points that neighbours of the queries are looked for among, where there are more.
constexpr int POINTS = 16384;
// The same for the neighbours of one coordinate a side.
constexpr int PAIR_SUBSET = 4096;
// Points that are gathered at a time.
constexpr int BLOCK = 256;
// Length of a row of Student-t quantiles.
constexpr int STUDENT_ROW = 8;

// Eigenvalues of the correlation matrix in descending order, not bounded below, and what `top_vectors` needs.
struct Spectrum {
    double *all, *of_x, *of_y;
    double *reflectors, *diagonal, *off, *taus;
};

struct Sample {
    Arena& arena;
    int n, dx, dy, d;
    // Half ranks 2 (rank − 1) with ties averaged, 0 … 2n − 2, column after column, n apart; X first.
    const int32_t* exact;
    // Ranks 0 … n − 1 with ties broken (untied.cpp), `stride` apart: each column is a permutation.
    int32_t* rank;
    size_t stride;
    // 1 − distinct values / n of each column, and whether any is above 0.
    double* tied_shares;
    bool tied;
    // Normal scores Φ⁻¹((rank + 1) / (n + 1)) brought to variance 1, by rank. The same for every column.
    double* score;
    // Student-t quantiles at the same levels for each ν, by rank, in rows of STUDENT_ROW so that one line of the cache
    // has them all; and Σ log(1 + t² / ν) / n.
    double* students;
    double log_tail[STUDENTS];
    // Correlation matrix of the scores, rows `ld` apart, padded with zeros.
    double* correlation;
    size_t ld;
    Spectrum spectrum;
    // The first min(n, POINTS) points in an order by a hash of their ranks, which the order of points and columns and the
    // signs of columns leave as it is: the first of them make smaller subsets. Null, for all as they come, if n ≤ SUBSET.
    int32_t* order;
    // χ² of each pair (dx, dy), up to order 4, less chance: what `polynomials` leaves for `planes`.
    double* divergence;
    // With one column a side and few points the sums over points of ψ(k) − ψ(n_x) − ψ(n_y), k = 1 and 3, of all points:
    // what `nearest` leaves for `planes`.
    bool has_plane_totals;
    double plane_totals[2];
    // min(n, SUBSET) and min(n, POINTS).
    int queries, points;

    float* out;
    int at;

    void put(double v) { out[at++] = static_cast<float>(v); }
    void put(const double* v, int count) {
        for (int i = 0; i < count; ++i) put(v[i]);
    }
    // Figures of X and of Y in an order that a swap leaves as it is.
    void both_sides(double of_x, double of_y) {
        put(std::max(of_x, of_y));
        put(std::min(of_x, of_y));
    }
    const int32_t* exact_column(int j) const { return exact + static_cast<size_t>(j) * n; }
    const int32_t* column(int j) const { return rank + static_cast<size_t>(j) * stride; }
    // Which point is the i-th of the order.
    int point(int i) const { return order ? order[i] : i; }
    double correlation_of(int i, int j) const { return correlation[i * ld + j]; }
};

// Fill in all but `arena`, the sizes, `exact`, `out` and `at`.
void prepare(Sample& sample);
// Only the ranks and shares of ties.
void prepare_ranks(Sample& sample);
// Break ties: `rank` from `exact`.
void untie(Sample& sample);

// Points ahead of which a table that is read in random order is asked for: memory is slow, and waits side by side.
constexpr int AHEAD = 16;
// table[rank] of `count` ≤ BLOCK points from `first` on, shape (d, BLOCK); zeros behind the last.
void gather(const Sample& sample, const double* table, int first, int count, double* out);

}  // namespace mistworks
