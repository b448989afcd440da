// Statistics of Mahalanobis distances between normal scores with shrunk covariances; formulas as in
// mistworks/statistics/neighbours.py.
//   ksg:        as in neighbours.cpp, k = 1, 4, of squared distances; all others on the queries alone.
//   alignment:  ⟨K, L⟩ / √(⟨K, K⟩ ⟨L, L⟩) of U-centred Gaussian kernels of bandwidths 0.6 and 0.3 (Song et al. 2012).
//   regression: leave-one-out Nadaraya–Watson regression of scores and their squares on the other side: R² of the best
//               and in the mean, for both bandwidths.
//   distance_correlation: bias-corrected (Székely, Rizzo 2014).
// Rows of 8 points are made at a time; nothing of size m² is stored.
#include <cmath>

#include "distances.h"
#include "groups.h"
#include "whitening.h"

namespace mistworks {
namespace {

constexpr int NEIGHBOURS[2] = {1, 4};
constexpr float BANDWIDTH = 0.6f;
constexpr float LEAST_EXPONENT = -20.0f;
constexpr double LEAST_NORM = 1e-4;
// Up to so many points sums are in double precision.
constexpr int FEW = 128;
constexpr int ROWS = 8;
// Rows whose predictions fit into registers.
constexpr int AT_ONCE = MISTWORKS_VECTOR == 64 ? 8 : 4;

// exp of x in [−87, 0] (Cephes' expf): 2^e e^f with e = x / log 2 rounded by adding 1.5 · 2^23.
MISTWORKS_INLINE Floats exponential(Floats x) {
    const Floats shifted = x * 1.44269504088896341f + 12582912.0f;
    const Ints exponent = (Ints)shifted - 0x4B400000;
    const Floats whole = shifted - 12582912.0f;
    const Floats f = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Floats p = f * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * f * f + f + 1.0f;
    return (Floats)((Ints)p + (exponent << 23));
}

// Σ a², Σ b², Σ a b over all, and the sums of each row.
struct Products {
    double aa = 0, bb = 0, ab = 0;
    double *a_rows, *b_rows;

    template <class T> void add_row(const float* a, const float* b, int length, int row) {
        T sum_aa = 0, sum_bb = 0, sum_ab = 0, sum_a = 0, sum_b = 0;
#pragma omp simd reduction(+ : sum_aa, sum_bb, sum_ab, sum_a, sum_b)
        for (int j = 0; j < length; ++j) {
            const T x = a[j], y = b[j];
            sum_aa += x * x;
            sum_bb += y * y;
            sum_ab += x * y;
            sum_a += x;
            sum_b += y;
        }
        aa += sum_aa;
        bb += sum_bb;
        ab += sum_ab;
        a_rows[row] = sum_a;
        b_rows[row] = sum_b;
    }
    // ⟨a, b⟩ = Σ aᵢⱼ bᵢⱼ − 2 Σ aᵢ. bᵢ. / (m − 2) + a.. b.. / ((m − 1)(m − 2)), normed.
    double correlation(int m) const {
        double aa_rows = 0, bb_rows = 0, ab_rows = 0, a = 0, b = 0;
        for (int i = 0; i < m; ++i) {
            aa_rows += a_rows[i] * a_rows[i];
            bb_rows += b_rows[i] * b_rows[i];
            ab_rows += a_rows[i] * b_rows[i];
            a += a_rows[i];
            b += b_rows[i];
        }
        auto centred = [m](double product, double rows, double totals) {
            return product - 2 * rows / (m - 2) + totals / ((m - 1.0) * (m - 2));
        };
        const double product = centred(ab, ab_rows, a * b);
        const double norms = centred(aa, aa_rows, a * a) * centred(bb, bb_rows, b * b);
        return std::min(std::max(product / std::sqrt(std::max(norms, LEAST_NORM)), -1.0), 1.0);
    }
};

// Scores and squared scores of one side, standardised: by point (m, width), and by column (count, length).
struct Targets {
    int count, width;
    float *by_point, *by_column;

    Targets(Sample& s, int from, int dims, int m, int length) : count(2 * dims), width((2 * dims + 15) & ~15) {
        by_point = s.arena.zeros<float>(static_cast<size_t>(m) * width);
        by_column = s.arena.zeros<float>(static_cast<size_t>(count) * length);
        for (int c = 0; c < count; ++c) {
            const int32_t* r = s.column(from + c % dims);
            float* column = by_column + static_cast<size_t>(c) * length;
            double mean = 0, variance = 0;
            for (int i = 0; i < m; ++i) {
                const float v = static_cast<float>(s.score[r[s.point(i)]]);
                mean += column[i] = c >= dims ? v * v : v;
            }
            mean /= m;
            for (int i = 0; i < m; ++i) variance += (column[i] - mean) * (column[i] - mean);
            const float scale = static_cast<float>(1 / std::sqrt(std::max(variance / m, 1e-12)));
            for (int i = 0; i < m; ++i)
                by_point[static_cast<size_t>(i) * width + c] = column[i] = (column[i] - static_cast<float>(mean)) * scale;
        }
    }
};

// Predictions K T / Σ K of up to AT_ONCE rows for VECTORS vectors of targets from column c on; squares of what is left.
template <int VECTORS>
MISTWORKS_INLINE void residuals_by_point(const float* kernel, int length, int m, const Targets& t, int c, int first,
                                         int rows, const float* inverse, double* squares) {
    Floats total[AT_ONCE][VECTORS];
    for (int r = 0; r < AT_ONCE; ++r)
        for (int v = 0; v < VECTORS; ++v) total[r][v] = Floats{};
    for (int j = 0; j < m; ++j) {
        Floats x[VECTORS];
        for (int v = 0; v < VECTORS; ++v) x[v] = load(t.by_point + static_cast<size_t>(j) * t.width + c + FLOATS * v);
        for (int r = 0; r < AT_ONCE; ++r) {
            const float f = kernel[r * length + j];
            for (int v = 0; v < VECTORS; ++v) total[r][v] += f * x[v];
        }
    }
    for (int v = 0; v < VECTORS; ++v) {
        Floats sum = {};
        for (int r = 0; r < AT_ONCE && r < rows; ++r) {
            const float* actual = t.by_point + static_cast<size_t>(first + r) * t.width + c + FLOATS * v;
            const Floats rest = load(actual) - total[r][v] * inverse[r];
            sum += rest * rest;
        }
        for (int l = 0; l < FLOATS; ++l)
            if (c + FLOATS * v + l < t.count) squares[c + FLOATS * v + l] += sum[l];
    }
}

void add_residuals(const float* kernel, int length, int m, const Targets& t, int first, int rows, const float* inverse,
                   double* squares) {
    if (t.count >= 12) {
        for (int r = 0; r < rows; r += AT_ONCE) {
            const float* k = kernel + static_cast<size_t>(r) * length;
            int c = 0;
            for (; c + 2 * FLOATS <= t.width; c += 2 * FLOATS)
                residuals_by_point<2>(k, length, m, t, c, first + r, rows - r, inverse + r, squares);
            if (c < t.width) residuals_by_point<1>(k, length, m, t, c, first + r, rows - r, inverse + r, squares);
        }
        return;
    }
    for (int c = 0; c < t.count; ++c) {
        const float* column = t.by_column + static_cast<size_t>(c) * length;
        Floats total[ROWS];
        for (int r = 0; r < ROWS; ++r) total[r] = Floats{};
        for (int j = 0; j < length; j += FLOATS) {
            const Floats x = load(column + j);
            for (int r = 0; r < ROWS; ++r) total[r] += x * load(kernel + r * length + j);
        }
        for (int r = 0; r < rows; ++r) {
            float predicted = 0;
            for (int l = 0; l < FLOATS; ++l) predicted += total[r][l];
            const double rest = column[first + r] - predicted * inverse[r];
            squares[c] += rest * rest;
        }
    }
}

// L⁻¹ z of both sides such that mean squared distances are about 1, shape (d, length), padded with FAR.
double* whitened(Sample& s, int m, int length) {
    double* white = s.arena.get<double>(static_cast<size_t>(s.d) * length);
    Arena::Scope scope(s.arena);
    const Whitener w(s, s.correlation, 1 - std::min(0.5, std::max(0.02, 0.5 * s.d / s.n)));
    double* z = s.arena.zeros<double>(static_cast<size_t>(s.d) * length);
    for (int j = 0; j < s.d; ++j) {
        const int32_t* r = s.column(j);
        for (int i = 0; i < m; ++i) z[static_cast<size_t>(j) * length + i] = s.score[r[s.point(i)]];
    }
    for (int j = 0; j < s.d; ++j) {
        const bool of_y = j >= s.dx;
        const int row = of_y ? j - s.dx : j;
        const double* l = of_y ? w.y_inverse + row * w.y_ld : w.inverse + row * w.ld;
        const double scale = 1 / std::sqrt(2.0 * (of_y ? s.dy : s.dx));
        const double* from = z + static_cast<size_t>(of_y ? s.dx : 0) * length;
        double* to = white + static_cast<size_t>(j) * length;
        for (int p = 0; p < length; p += 4 * DOUBLES) {
            Doubles total[4] = {Doubles{}, Doubles{}, Doubles{}, Doubles{}};
            for (int k = 0; k <= row; ++k)
                for (int v = 0; v < 4; ++v)
                    total[v] += l[k] * load(from + static_cast<size_t>(k) * length + p + DOUBLES * v);
            for (int v = 0; v < 4; ++v) store(to + p + DOUBLES * v, total[v] * scale);
        }
        for (int i = m; i < length; ++i) to[i] = FAR;
    }
    return white;
}

// KSG terms ψ(k) − ψ(n_x + 1) − ψ(n_y + 1) of rows of squared distances.
struct Counter {
    int m, length, used[2];
    float* joint;
    uint16_t* near;

    Counter(Arena& arena, int m_, int length_)
        : m(m_),
          length(length_),
          used{std::min(NEIGHBOURS[0], m_ - 1), std::min(NEIGHBOURS[1], m_ - 1)},
          joint(arena.get<float>(length_)),
          near(arena.get<uint16_t>(length_ + 64)) {}

    void add(const float* of_x, const float* of_y, double* totals) {
        greater_row(of_x, of_y, length, joint);
        const int count = candidates(joint, length, m, used[1], 1.0f, near);
        float least[2], radii[2];
        least_at<2>(joint, near, count, used, least);
        int32_t x_count[2], y_count[2];
        for (int k = 0; k < 2; ++k) radii[k] = just_above(least[k] * (1 - TOLERANCE));
        count_below<2>(of_x, length, radii, x_count);
        count_below<2>(of_y, length, radii, y_count);
        for (int k = 0; k < 2; ++k)
            totals[k] += psi(used[k]) - psi(std::max(x_count[k], 1)) - psi(std::max(y_count[k], 1));
    }
};

// The terms of all queries among all points.
void count_all(Sample& s, double* totals) {
    Arena::Scope scope(s.arena);
    const int length = padded_floats(s.points);
    const double *x = whitened(s, s.points, length), *y = x + static_cast<size_t>(s.dx) * length;
    float *of_x = s.arena.get<float>(static_cast<size_t>(TOGETHER) * length);
    float *of_y = s.arena.get<float>(static_cast<size_t>(TOGETHER) * length);
    double *x_norms = s.arena.get<double>(length), *y_norms = s.arena.get<double>(length);
    norm_row(x, length, s.dx, x_norms);
    norm_row(y, length, s.dy, y_norms);
    Counter counter(s.arena, s.points, length);
    for (int i = 0; i < s.queries; i += TOGETHER) {
        square_rows(x, x_norms, length, s.dx, i, s.queries - 1, of_x);
        square_rows(y, y_norms, length, s.dy, i, s.queries - 1, of_y);
        for (int r = 0; r < TOGETHER && i + r < s.queries; ++r)
            counter.add(of_x + static_cast<size_t>(r) * length, of_y + static_cast<size_t>(r) * length, totals);
    }
}

// Kernels of one row for both bandwidths from squared distances: the narrow one is the wide one's fourth power.
void kernel_row(const float* squares, int i, int m, int length, float* wide, float* narrow) {
    const Floats least = Floats{} + LEAST_EXPONENT;
    for (int j = 0; j < length; j += FLOATS) {
        const Floats exponent = load(squares + j) * (-0.5f / (BANDWIDTH * BANDWIDTH));
        const Floats v = exponential(greater(exponent, least)), square = v * v;
        store(wide + j, v);
        store(narrow + j, square * square);
    }
    const float diagonal = std::exp(LEAST_EXPONENT), square = diagonal * diagonal;
    wide[i] = diagonal;
    narrow[i] = square * square;
    for (int j = m; j < length; ++j) wide[j] = narrow[j] = 0;
}

// R² of the best score, of the best square, and means over both.
void gains(const double* residuals, int dims, int m, double* out) {
    out[0] = out[1] = -1;
    out[2] = out[3] = 0;
    for (int c = 0; c < 2 * dims; ++c) {
        const double gain = std::min(std::max(1 - residuals[c] / m, -1.0), 1.0);
        const int of_squares = c >= dims;
        out[of_squares] = std::max(out[of_squares], gain);
        out[2 + of_squares] += gain / dims;
    }
}

}  // namespace

void metric(Sample& s) {
    const int dx = s.dx, dy = s.dy, m = s.queries, length = padded_floats(m);
    double ksg[2] = {0, 0};
    // All points are counted for the KSG estimates, the queries alone for the rest.
    const bool all = s.points == m;
    if (!all) count_all(s, ksg);
    const double* white = whitened(s, m, length);
    const double* y_white = white + static_cast<size_t>(dx) * length;
    double *norms = s.arena.get<double>(length), *y_norms = s.arena.get<double>(length);
    norm_row(white, length, dx, norms);
    norm_row(y_white, length, dy, y_norms);
    // What each side's kernel predicts.
    const Targets targets[2] = {Targets(s, dx, dy, m, length), Targets(s, 0, dx, m, length)};
    float *x_rows = s.arena.get<float>(static_cast<size_t>(TOGETHER) * length);
    float *y_rows = s.arena.get<float>(static_cast<size_t>(TOGETHER) * length);
    Counter counter(s.arena, m, length);
    // Wide of X, wide of Y, narrow of X, narrow of Y.
    float* kernels[4];
    double* residuals[4];
    for (int k = 0; k < 4; ++k) {
        kernels[k] = s.arena.zeros<float>(static_cast<size_t>(ROWS) * length);
        residuals[k] = s.arena.zeros<double>(targets[k % 2].count);
    }
    Products products[3];
    for (Products& p : products) {
        p.a_rows = s.arena.get<double>(m);
        p.b_rows = s.arena.get<double>(m);
    }
    float inverse[4][ROWS];
    for (int first = 0; first < m; first += ROWS) {
        const int rows = std::min(ROWS, m - first);
        for (int r = 0; r < rows; ++r) {
            const int i = first + r;
            float *of_x = x_rows + r % TOGETHER * length, *of_y = y_rows + r % TOGETHER * length;
            if (r % TOGETHER == 0) {
                square_rows(white, norms, length, dx, i, m - 1, of_x);
                square_rows(y_white, y_norms, length, dy, i, m - 1, of_y);
            }
            if (all) counter.add(of_x, of_y, ksg);
            for (int side = 0; side < 2; ++side)
                kernel_row(side ? of_y : of_x, i, m, length, kernels[side] + r * length, kernels[2 + side] + r * length);
            for (int j = 0; j < length; ++j) {
                of_x[j] = std::sqrt(std::max(of_x[j], TINY));
                of_y[j] = std::sqrt(std::max(of_y[j], TINY));
            }
            for (int j = m; j < length; ++j) of_x[j] = of_y[j] = 0;
            const float* pairs[3][2] = {{kernels[0] + r * length, kernels[1] + r * length},
                                        {kernels[2] + r * length, kernels[3] + r * length},
                                        {of_x, of_y}};
            for (int k = 0; k < 3; ++k) {
                if (m <= FEW)
                    products[k].add_row<double>(pairs[k][0], pairs[k][1], length, i);
                else
                    products[k].add_row<float>(pairs[k][0], pairs[k][1], length, i);
            }
            for (int k = 0; k < 4; ++k) {
                const double* sums = k % 2 ? products[k / 2].b_rows : products[k / 2].a_rows;
                inverse[k][r] = 1 / std::max(static_cast<float>(sums[i]), 1e-6f);
            }
        }
        for (int k = 0; k < 4; ++k)
            add_residuals(kernels[k], length, m, targets[k % 2], first, rows, inverse[k], residuals[k]);
    }
    for (double total : ksg) s.put(total / m + psi(s.points));
    s.put(products[0].correlation(m));
    s.put(products[1].correlation(m));
    for (int bandwidth = 0; bandwidth < 2; ++bandwidth) {
        double of_targets[2][4];
        gains(residuals[2 * bandwidth], dy, m, of_targets[0]);
        gains(residuals[2 * bandwidth + 1], dx, m, of_targets[1]);
        for (int i = 0; i < 4; ++i) s.put(std::max(of_targets[0][i], of_targets[1][i]));
        for (int i = 0; i < 4; ++i) s.put(std::min(of_targets[0][i], of_targets[1][i]));
    }
    s.put(products[2].correlation(m));
}

}  // namespace mistworks
