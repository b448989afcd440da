// Moments of Legendre polynomials P_1 … P_4 of the ranks brought into (−1, 1), u = (2 rank + 1 − n) / n; formulas as in
// mistworks/statistics/polynomials.py.
//   energy:    sign(e) log(1 + |e|) of Σ over pairs (i, j) of E[P_k(x_i) P_l(y_j)]² − 1/n, by orders (k, l) symmetrised.
//   best:      the three greatest χ² of a pair, Σ_kl; matched: ½ Σ log(1 + χ²) over clear mutually best pairs, number.
//   ridge_…:   canonical correlations of all polynomials.
//   strongest: singular values of E[P_k P_l] up to order 10 of the strongest pair, and their energy.
#include <cmath>

#include "algebra.h"
#include "canonical.h"
#include "groups.h"

namespace mistworks {
namespace {

constexpr int ORDERS = 4;
constexpr int FINE_ORDERS = 10;

// Orthonormal P_1 … P_4 at u, less their means over the sample.
struct Basis {
    double scale[ORDERS], mean[ORDERS];
    int n;

    explicit Basis(int n_) : n(n_) {
        for (int k = 0; k < ORDERS; ++k) {
            scale[k] = std::sqrt(2.0 * k + 3);
            mean[k] = 0;
        }
        for (int r = 0; r < n; ++r) {
            double p[ORDERS];
            at(r, p);
            for (int k = 0; k < ORDERS; ++k) mean[k] += p[k];
        }
        for (double& m : mean) m /= n;
    }
    // Not yet centred or scaled.
    void at(int rank, double* p) const {
        const double u = (2.0 * rank + 1.0 - n) / n;
        p[0] = u;
        p[1] = 1.5 * u * u - 0.5;
        p[2] = u * (2.5 * u * u - 1.5);
        p[3] = (7 * u * p[2] - 3 * p[1]) / 4;
    }
};

// E[P_k(i) P_l(j)] of all columns, shape (4 d, 4 d), rows `ld` apart.
double* moments(Sample& s, size_t ld) {
    const int n = s.n, size = ORDERS * s.d;
    double* gram = s.arena.zeros<double>(ld * size);
    Arena::Scope scope(s.arena);
    double* block = s.arena.get<double>(static_cast<size_t>(size) * BLOCK);
    const Basis basis(n);
    const double *scale = basis.scale, *mean = basis.mean;
    for (int first = 0; first < n; first += BLOCK) {
        const int count = std::min(BLOCK, n - first), depth = padded(count);
        for (int j = 0; j < s.d; ++j) {
            const int32_t* r = s.column(j) + first;
            double* to = block + static_cast<size_t>(ORDERS) * j * BLOCK;
            const double inverse = 1.0 / n;
            for (int i = 0; i < count; ++i) {
                const double u = (2.0 * r[i] + 1.0 - n) * inverse;
                const double p2 = 1.5 * u * u - 0.5, p3 = u * (2.5 * u * u - 1.5), p4 = (7 * u * p3 - 3 * p2) / 4;
                to[i] = scale[0] * (u - mean[0]);
                to[BLOCK + i] = scale[1] * (p2 - mean[1]);
                to[2 * BLOCK + i] = scale[2] * (p3 - mean[2]);
                to[3 * BLOCK + i] = scale[3] * (p4 - mean[3]);
            }
            for (int k = 0; k < ORDERS; ++k)
                for (int i = count; i < depth; ++i) to[k * BLOCK + i] = 0;
        }
        gemm_nt(block, BLOCK, block, BLOCK, gram, ld, size, size, depth, true);
    }
    for (int i = 0; i < size; ++i)
        for (int j = 0; j <= i; ++j) gram[i * ld + j] /= n;
    mirror(gram, size, ld);
    return gram;
}

// Higher orders of one pair of columns.
void strongest(Sample& s, int x_column, int y_column) {
    const int n = s.n, orders = std::min(FINE_ORDERS, std::max(2, n / 8));
    constexpr int LD = 16;
    double gram[FINE_ORDERS * LD] = {}, squared[FINE_ORDERS * LD] = {}, values[FINE_ORDERS];
    // Means by rank: columns have the same.
    double mean[FINE_ORDERS] = {}, scale[FINE_ORDERS];
    auto fill = [&](double u, double* to, size_t step) {
        double before = 1, current = u;
        for (int k = 1; k <= orders; ++k) {
            to[(k - 1) * step] = current;
            const double next = ((2 * k + 1) * u * current - k * before) / (k + 1);
            before = current;
            current = next;
        }
    };
    for (int r = 0; r < n; ++r) {
        double p[FINE_ORDERS];
        fill((2.0 * r + 1.0 - n) / n, p, 1);
        for (int k = 0; k < orders; ++k) mean[k] += p[k];
    }
    for (int k = 0; k < orders; ++k) {
        mean[k] /= n;
        scale[k] = std::sqrt(2.0 * k + 3);
    }
    double* block = s.arena.get<double>(2 * static_cast<size_t>(FINE_ORDERS) * BLOCK);
    for (int first = 0; first < n; first += BLOCK) {
        const int count = std::min(BLOCK, n - first), depth = padded(count);
        for (int side = 0; side < 2; ++side) {
            const int32_t* r = s.column(side ? y_column : x_column) + first;
            double* to = block + static_cast<size_t>(side) * FINE_ORDERS * BLOCK;
            for (int i = 0; i < count; ++i) fill((2.0 * r[i] + 1.0 - n) / n, to + i, BLOCK);
            for (int k = 0; k < orders; ++k) {
                double* p = to + static_cast<size_t>(k) * BLOCK;
                for (int i = 0; i < count; ++i) p[i] = (p[i] - mean[k]) * scale[k];
                for (int i = count; i < depth; ++i) p[i] = 0;
            }
        }
        gemm_nt(block, BLOCK, block + static_cast<size_t>(FINE_ORDERS) * BLOCK, BLOCK, gram, LD, orders, orders, depth);
    }
    double energy = 0;
    for (double& g : gram) {
        g /= n;
        energy += g * g;
    }
    gemm_nt(gram, LD, gram, LD, squared, LD, orders, orders, LD);
    symmetric_eigenvalues(squared, orders, LD, values, s.arena);
    for (int i = 0; i < 5; ++i) s.put(i < orders ? std::min(std::sqrt(std::max(values[i], 0.0)), 1 - 1e-6) : 0);
    s.put(signed_log(energy - static_cast<double>(orders) * orders / n));
}

}  // namespace

void polynomials(Sample& s) {
    const int n = s.n, dx = s.dx, dy = s.dy;
    const size_t ld = padded(ORDERS * s.d);
    const double* gram = moments(s, ld);
    double energy[ORDERS][ORDERS] = {};
    double* pairs = s.divergence;
    for (int i = 0; i < dx; ++i)
        for (int k = 0; k < ORDERS; ++k) {
            const double* row = gram + (ORDERS * i + k) * ld + ORDERS * dx;
            for (int j = 0; j < dy; ++j) {
                double sum = 0;
                for (int l = 0; l < ORDERS; ++l) {
                    const double square = row[ORDERS * j + l] * row[ORDERS * j + l] - 1.0 / n;
                    energy[k][l] += square;
                    sum += square;
                }
                pairs[i * dy + j] += sum;
            }
        }
    for (int k = 0; k < ORDERS; ++k)
        for (int l = k; l < ORDERS; ++l) s.put(signed_log(energy[k][l] + energy[l][k]));

    double *row = s.arena.get<double>(dx), *column = s.arena.get<double>(dy);
    std::fill(row, row + dx, -1e300);
    std::fill(column, column + dy, -1e300);
    int best = 0;
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double p = pairs[i * dy + j];
            row[i] = std::max(row[i], p);
            column[j] = std::max(column[j], p);
            if (p > pairs[best]) best = i * dy + j;
        }
    double terms = 0, greatest[3] = {-1e300, -1e300, -1e300};
    int clear = 0;
    const double cut = 2.0 * (1 + std::log(static_cast<double>(dx) * dy)) * ORDERS;
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double p = pairs[i * dy + j];
            if (p >= least_of(row[i]) && p >= least_of(column[j]) && p * n > cut) {
                terms += std::log1p(p);
                ++clear;
            }
            double rest = p;
            for (double& g : greatest)
                if (rest > g) std::swap(rest, g);
        }
    for (int i = 0; i < 3; ++i) s.put(i < dx * dy ? std::max(greatest[i], -1.0) : 0);
    s.put(0.5 * terms);
    s.put(std::log1p(static_cast<double>(clear)));
    put_canonical(s, gram, ld, ORDERS * dx, ORDERS * s.d, 0.1, false, 4);
    put_canonical(s, gram, ld, ORDERS * dx, ORDERS * s.d, 0.4, false, 4);
    strongest(s, best / dy, dx + best % dy);
}

}  // namespace mistworks
