// What the correlation matrix R of the normal scores says; formulas as in mistworks/statistics/gaussian.py.
//   shrunk:       ½ (log det xx + log det yy − log det) of (1 − λ) R + λ I for nine λ and for λ by oracle approximating
//                 shrinkage (Chen, Wiesel, Eldar, Hero 2010, equation 23), from the eigenvalues of the three matrices;
//                 that λ; the MI at λ = 1e-10 less its expected bias, or at the second λ if n ≤ 1.5 d + 2.
//   spectra:      leading eigenvalues; effective dimension (Σ λ)² / Σ λ² of each side.
//   correlations: quantiles of |r| across and within the sides, mean of r² less 1/n.
//   canonical:    canonical correlations ρ with ridges; log(1 + Σ ρ²), −½ Σ log(1 − ρ²), the latter where n ρ² > 9, and
//                 the logarithm of 1 + their number.
#include <cmath>

#include "algebra.h"
#include "canonical.h"
#include "groups.h"

namespace mistworks {
namespace {

constexpr double SHRINKAGES[] = {0.003, 0.01, 0.03, 0.08, 0.16, 0.3, 0.45, 0.6, 0.8};
constexpr double QUANTILES[] = {0.5, 0.8, 0.95, 1.0};

double shrunk_mi(const Sample& s, double lambda) {
    const double keep = 1 - lambda;
    const Spectrum& spectrum = s.spectrum;
    const double value = 0.5 * (log_product(spectrum.of_x, 1, s.dx, keep, lambda) +
                                log_product(spectrum.of_y, 1, s.dy, keep, lambda) -
                                log_product(spectrum.all, 1, s.d, keep, lambda));
    return std::min(std::max(value, 0.0), 500.0);
}

double square_sum(const Sample& s, int from, int to) {
    double total = 0;
    for (int i = from; i < to; ++i)
        for (int j = from; j < to; ++j) total += s.correlation_of(i, j) * s.correlation_of(i, j);
    return total;
}

}  // namespace

void shrunk(Sample& s) {
    const double n = s.n, d = s.d, square = square_sum(s, 0, s.d);
    const double lambda = ((1 - 2 / d) * square + d * d) / std::max((n + 1 - 2 / d) * (square - d), 1e-12);
    const double chosen = std::min(std::max(lambda, 0.0), 1.0);
    for (double level : SHRINKAGES) s.put(shrunk_mi(s, level));
    s.put(shrunk_mi(s, chosen));
    s.put(chosen);
    if (!many_points(s.n, s.d)) {
        s.put(shrunk_mi(s, SHRINKAGES[1]));
        return;
    }
    // By the Cholesky factor, which is better than eigenvalues that are nearly 0.
    double* matrix = s.arena.zeros<double>(s.ld * s.d);
    for (int i = 0; i < s.d; ++i)
        for (int j = 0; j < s.d; ++j) matrix[i * s.ld + j] = i == j ? 1.0 : (1 - RIDGE) * s.correlation_of(i, j);
    s.put(gaussian_mi(matrix, s.dx, s.d, s.ld, s.arena) - bias(s.n, s.dx, s.dy));
}

void spectra(Sample& s) {
    const Spectrum& spectrum = s.spectrum;
    auto leading = [](const double* values, int count, int i) {
        return i < count ? std::log1p(std::max(values[i], 0.0)) : 0.0;
    };
    for (int i = 0; i < 5; ++i) s.put(leading(spectrum.all, s.d, i));
    double x[2], y[2];
    for (int i = 0; i < 2; ++i) {
        x[i] = leading(spectrum.of_x, s.dx, i);
        y[i] = leading(spectrum.of_y, s.dy, i);
    }
    for (int i = 0; i < 2; ++i) s.put(std::max(x[i], y[i]));
    for (int i = 0; i < 2; ++i) s.put(std::min(x[i], y[i]));
    const double dx = s.dx, dy = s.dy;
    s.both_sides(std::log(dx * dx / square_sum(s, 0, s.dx)), std::log(dy * dy / square_sum(s, s.dx, s.d)));
}

void correlations(Sample& s) {
    double* values = s.arena.get<double>(static_cast<size_t>(s.d) * s.d + 1);
    int count = 0;
    double square = 0, levels[4];
    for (int i = 0; i < s.dx; ++i)
        for (int j = s.dx; j < s.d; ++j) {
            const double r = std::fabs(s.correlation_of(i, j));
            values[count++] = r;
            square += r * r;
        }
    quantiles(values, count, QUANTILES, 4, levels);
    s.put(levels, 4);
    s.put(square / count - 1.0 / s.n);
    double within[2][4], squares[2];
    for (int side = 0; side < 2; ++side) {
        const int from = side ? s.dx : 0, to = side ? s.d : s.dx;
        count = 0;
        square = 0;
        for (int i = from; i < to; ++i)
            for (int j = i + 1; j < to; ++j) {
                const double r = std::fabs(s.correlation_of(i, j));
                values[count++] = r;
                square += r * r;
            }
        if (!count) values[count++] = 0;
        quantiles(values, count, QUANTILES, 4, within[side]);
        squares[side] = square / count - 1.0 / s.n;
    }
    for (int i = 0; i < 4; ++i) s.put(std::max(within[0][i], within[1][i]));
    for (int i = 0; i < 4; ++i) s.put(std::min(within[0][i], within[1][i]));
    s.both_sides(squares[0], squares[1]);
}

void canonical(Sample& s) {
    for (double ridge : {0.02, 0.15, 0.5}) put_canonical(s, s.correlation, s.ld, s.dx, s.d, ridge, true, 5);
}

}  // namespace mistworks
