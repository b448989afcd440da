// Canonical correlations ρ of a matrix with a ridge: the leading ones and four sums; see gaussian.cpp.
#pragma once
#include <cmath>

#include "algebra.h"
#include "sample.h"

namespace mistworks {

// Keeps apart what rounding would make singular.
constexpr double RIDGE = 1e-10;
// Whether a covariance of n points in d dimensions says something without shrinkage.
inline bool many_points(int n, int d) { return 2 * static_cast<int64_t>(n) > 3 * d + 4; }
// The least 1 − r² that scores tell from 0.
inline double least_residual(double n) { return std::max(1.0 / (n * n * n), RIDGE); }
// Expected Gaussian MI of n > dx + dy independent normals: ½ Σ_{j ≤ dy} ψ((n − j)/2) − ψ((n − dx − j)/2).
inline double bias(int n, int dx, int dy) {
    double total = 0;
    for (int j = 1; j <= dy; ++j) total += digamma((n - j) / 2.0) - digamma((n - dx - j) / 2.0);
    return 0.5 * total;
}

// `matrix` has `dx` rows of X before d − dx of Y; it becomes (1 − ridge) M with ones for its diagonal (`unit`) or plus
// ridge I. Appends `leading` + 4 values.
inline void put_canonical(Sample& s, const double* matrix, size_t ld, int dx, int d, double ridge, bool unit,
                          int leading) {
    constexpr double MOST = (1 - 1e-6) * (1 - 1e-6);
    Arena::Scope scope(s.arena);
    double* squares = s.arena.get<double>(d);
    const int count = squared_canonical(matrix, ld, dx, d, 1 - ridge, ridge, unit, squares, s.arena);
    double square = 0, terms = 0, clear_terms = 0;
    int clear = 0;
    for (int i = 0; i < count; ++i) {
        squares[i] = std::min(std::max(squares[i], 0.0), MOST);
        const double term = -0.5 * std::log1p(-squares[i]);
        square += squares[i];
        terms += term;
        if (squares[i] * s.n > 9.0) {
            clear_terms += term;
            ++clear;
        }
    }
    for (int i = 0; i < leading; ++i) s.put(i < count ? std::sqrt(squares[i]) : 0);
    s.put(std::log1p(square));
    s.put(terms);
    s.put(clear_terms);
    s.put(std::log1p(static_cast<double>(clear)));
}

// What a strength must reach to count as the greatest of its row or column, of few points but for rounding.
inline double least_of(double strength) { return strength - 1e-9 * std::fabs(strength) - 1e-12; }

}  // namespace mistworks
