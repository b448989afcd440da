// Linear algebra of small dense matrices; see algebra.h.
#include "algebra.h"

#include <algorithm>
#include <cmath>
#include <cstdint>


namespace mistworks {
namespace {

// C += A Bᵀ of M rows and N columns, all accumulators in registers.
template <int M, int N>
MISTWORKS_INLINE void tile(const double* a, size_t lda, const double* b, size_t ldb, double* c, size_t ldc, int depth) {
    Doubles total[M][N];
    for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) total[i][j] = Doubles{};
    for (int k = 0; k < depth; k += DOUBLES) {
        Doubles y[N];
        for (int j = 0; j < N; ++j) y[j] = load(b + j * ldb + k);
        for (int i = 0; i < M; ++i) {
            const Doubles x = load(a + i * lda + k);
            for (int j = 0; j < N; ++j) total[i][j] += x * y[j];
        }
    }
    for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) c[i * ldc + j] += sum(total[i][j]);
}

template <int M>
MISTWORKS_INLINE void tiles(const double* a, size_t lda, const double* b, size_t ldb, double* c, size_t ldc, int n,
                            int depth) {
    int j = 0;
    for (; j + 4 <= n; j += 4) tile<M, 4>(a, lda, b + j * ldb, ldb, c + j, ldc, depth);
    switch (n - j) {
        case 3: tile<M, 3>(a, lda, b + j * ldb, ldb, c + j, ldc, depth); break;
        case 2: tile<M, 2>(a, lda, b + j * ldb, ldb, c + j, ldc, depth); break;
        case 1: tile<M, 1>(a, lda, b + j * ldb, ldb, c + j, ldc, depth); break;
    }
}

}  // namespace

void gemm_nt(const double* a, size_t lda, const double* b, size_t ldb, double* c, size_t ldc, int m, int n, int depth,
             bool lower) {
    for (int i = 0; i < m; i += 4) {
        const int rows = std::min(4, m - i), columns = lower ? std::min(n, i + rows) : n;
        switch (rows) {
            case 4: tiles<4>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns, depth); break;
            case 3: tiles<3>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns, depth); break;
            case 2: tiles<2>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns, depth); break;
            case 1: tiles<1>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, columns, depth); break;
        }
    }
}

void mirror(double* c, int d, size_t ldc) {
    for (int i = 0; i < d; ++i)
        for (int j = i + 1; j < d; ++j) c[i * ldc + j] = c[j * ldc + i];
}

void copy_block(const double* a, size_t lda, int from, int size, double* b, size_t ldb) {
    for (int i = 0; i < size; ++i)
        for (int j = 0; j < size; ++j) b[i * ldb + j] = a[(from + i) * lda + from + j];
}

bool cholesky(double* a, int d, size_t lda) {
    for (int k = 0; k < d; ++k) {
        double* pivot = a + k * lda;
        if (!(pivot[k] > 0)) return false;
        const double root = std::sqrt(pivot[k]), inverse = 1 / root;
        pivot[k] = root;
        for (int j = k + 1; j < d; ++j) pivot[j] *= inverse;
        for (int i = k + 1; i < d; ++i) {
            const double f = pivot[i];
            double* row = a + i * lda;
            // Whole vectors: entries left of the diagonal do not matter, but stay as they are.
            if (f != 0)
                for (int j = i & ~7; j < d; ++j) row[j] -= f * pivot[j] * (j >= i);
        }
    }
    return true;
}

void inverse_factor(const double* u, int d, size_t lda, double* inverse, size_t ldi) {
    for (int i = 0; i < d; ++i) {
        double* row = inverse + i * ldi;
        std::fill(row, row + ldi, 0.0);
        row[i] = 1;
        for (int k = 0; k < i; ++k) {
            const double f = u[k * lda + i];
            const double* above = inverse + k * ldi;
            if (f != 0)
                for (int j = 0; j <= k; ++j) row[j] -= f * above[j];
        }
        const double scale = 1 / u[i * lda + i];
        for (int j = 0; j <= i; ++j) row[j] *= scale;
    }
}

double log_product(const double* values, size_t step, int count, double scale, double shift) {
    double product = 1, logs = 0;
    for (int i = 0; i < count; ++i) {
        product *= std::max(scale * values[i * step] + shift, 1e-150);
        if (product < 1e-100 || product > 1e100) {
            logs += std::log(product);
            product = 1;
        }
    }
    return logs + std::log(product);
}

void tridiagonal(double* a, int d, size_t lda, double* diagonal, double* off, double* taus, double* work) {
    for (int k = 0; k + 2 < d; ++k) {
        double* v = a + k * lda;
        diagonal[k] = v[k];
        double below = 0;
        for (int j = k + 2; j < d; ++j) below += v[j] * v[j];
        const double x = v[k + 1];
        if (below < 1e-300) {
            off[k] = x;
            taus[k] = 0;
            continue;
        }
        const double norm = std::sqrt(x * x + below), beta = x > 0 ? -norm : norm;
        const double tau = (beta - x) / beta, inverse = 1 / (x - beta);
        v[k + 1] = 1;
        for (int j = k + 2; j < d; ++j) v[j] *= inverse;
        off[k] = beta;
        taus[k] = tau;
        double dot = 0;
        for (int i = k + 1; i < d; ++i) {
            const double* row = a + i * lda;
            double t = 0;
#pragma omp simd reduction(+ : t)
            for (int j = k + 1; j < d; ++j) t += row[j] * v[j];
            work[i] = tau * t;
            dot += work[i] * v[i];
        }
        const double alpha = -0.5 * tau * dot;
        for (int i = k + 1; i < d; ++i) work[i] += alpha * v[i];
        for (int i = k + 1; i < d; ++i) {
            double* row = a + i * lda;
            const double f = v[i], g = work[i];
            for (int j = k + 1; j < d; ++j) row[j] -= f * work[j] + g * v[j];
        }
    }
    if (d >= 2) {
        diagonal[d - 2] = a[(d - 2) * lda + d - 2];
        off[d - 2] = a[(d - 2) * lda + d - 1];
        taus[d - 2] = 0;
    }
    diagonal[d - 1] = a[(d - 1) * lda + d - 1];
    taus[d - 1] = 0;
}

// Implicit QL, as in EISPACK's tql1 (Bowdler, Martin, Reinsch, Wilkinson 1968).
void eigenvalues(double* q, double* e, int d) {
    e[d - 1] = 0;
    for (int l = 0; l < d; ++l) {
        for (int sweep = 0; sweep < 60; ++sweep) {
            int m = l;
            for (; m + 1 < d; ++m) {
                const double size = std::fabs(q[m]) + std::fabs(q[m + 1]);
                if (std::fabs(e[m]) <= 1.1e-16 * size + 1e-300) break;
            }
            if (m == l) break;
            double g = (q[l + 1] - q[l]) / (2 * e[l]), r = std::sqrt(g * g + 1);
            g = q[m] - q[l] + e[l] / (g + (g >= 0 ? r : -r));
            double s = 1, c = 1, p = 0;
            int i = m - 1;
            for (; i >= l; --i) {
                const double f = s * e[i], b = c * e[i];
                r = std::sqrt(f * f + g * g);
                e[i + 1] = r;
                if (r == 0) {
                    q[i + 1] -= p;
                    e[m] = 0;
                    break;
                }
                const double inverse = 1 / r;
                s = f * inverse;
                c = g * inverse;
                g = q[i + 1] - p;
                r = (q[i] - g) * s + 2 * c * b;
                p = s * r;
                q[i + 1] = g + p;
                g = c * r - b;
            }
            if (r == 0 && i >= l) continue;
            q[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
    }
    std::sort(q, q + d, [](double a, double b) { return a > b; });
}

namespace {

// LU with partial pivoting of a tridiagonal matrix less λ I, and solutions with it.
struct Shifted {
    int d;
    double *lower, *main, *upper, *second;
    char* swapped;
    double least;

    void factorise(const double* diagonal, const double* off, double lambda) {
        for (int i = 0; i < d; ++i) {
            main[i] = diagonal[i] - lambda;
            lower[i] = upper[i] = i + 1 < d ? off[i] : 0;
            second[i] = 0;
        }
        for (int i = 0; i + 1 < d; ++i) {
            swapped[i] = std::fabs(main[i]) < std::fabs(lower[i]);
            if (!swapped[i]) {
                const double f = main[i] != 0 ? lower[i] / main[i] : 0;
                lower[i] = f;
                main[i + 1] -= f * upper[i];
                continue;
            }
            const double f = main[i] / lower[i], t = upper[i];
            main[i] = lower[i];
            lower[i] = f;
            upper[i] = main[i + 1];
            main[i + 1] = t - f * main[i + 1];
            if (i + 2 < d) {
                second[i] = upper[i + 1];
                upper[i + 1] = -f * upper[i + 1];
            }
        }
    }
    void forward(double* x) const {
        for (int i = 0; i + 1 < d; ++i) {
            if (!swapped[i]) {
                x[i + 1] -= lower[i] * x[i];
            } else {
                const double t = x[i];
                x[i] = x[i + 1];
                x[i + 1] = t - lower[i] * x[i];
            }
        }
    }
    void backward(double* x) const {
        for (int i = d - 1; i >= 0; --i) {
            double t = x[i];
            if (i + 1 < d) t -= upper[i] * x[i + 1];
            if (i + 2 < d) t -= second[i] * x[i + 2];
            x[i] = t / (std::fabs(main[i]) < least ? least : main[i]);
        }
    }
};

// x less its parts along the rows before it, of length 1.
void orthonormalise(double* x, const double* vectors, int before, int d) {
    for (int repeat = 0; repeat < 2; ++repeat) {
        double most = 0, square = 0;
        for (int i = 0; i < d; ++i) most = std::max(most, std::fabs(x[i]));
        for (int i = 0; i < d; ++i) x[i] /= most;
        for (int b = 0; b < before; ++b) {
            const double* y = vectors + static_cast<size_t>(b) * d;
            double dot = 0;
            for (int i = 0; i < d; ++i) dot += x[i] * y[i];
            for (int i = 0; i < d; ++i) x[i] -= dot * y[i];
        }
        for (int i = 0; i < d; ++i) square += x[i] * x[i];
        for (int i = 0; i < d; ++i) x[i] /= std::sqrt(square);
    }
}

}  // namespace

void top_vectors(const double* a, int d, size_t lda, const double* diagonal, const double* off, const double* taus,
                 const double* values, int count, double* vectors, double* work, Arena& arena) {
    const double least = 1e-17 * (1 + std::fabs(values[0]));
    Shifted shifted{d, work, work + d, work + 2 * d, work + 3 * d, arena.get<char>(d), least};
    for (int c = 0; c < count; ++c) {
        double* x = vectors + static_cast<size_t>(c) * d;
        // Equal eigenvalues are parted a little.
        shifted.factorise(diagonal, off, values[c] + 1e-14 * std::fabs(values[0]) * (c + 1));
        uint64_t state = 88172645463325252ull + c;
        for (int i = 0; i < d; ++i) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            x[i] = 0.5 + (state >> 11) * (1.0 / 9007199254740992.0);
        }
        for (int step = 0; step < 4; ++step) {
            if (step) shifted.forward(x);
            shifted.backward(x);
            orthonormalise(x, vectors, c, d);
        }
    }
    for (int c = 0; c < count; ++c) {
        double* x = vectors + static_cast<size_t>(c) * d;
        for (int k = d - 3; k >= 0; --k) {
            if (taus[k] == 0) continue;
            const double* v = a + k * lda;
            double t = 0;
            for (int j = k + 1; j < d; ++j) t += v[j] * x[j];
            t *= taus[k];
            for (int j = k + 1; j < d; ++j) x[j] -= t * v[j];
        }
    }
}

void symmetric_eigenvalues(double* a, int d, size_t lda, double* values, Arena& arena) {
    Arena::Scope scope(arena);
    double *off = arena.get<double>(d), *taus = arena.get<double>(d), *work = arena.get<double>(d);
    tridiagonal(a, d, lda, values, off, taus, work);
    eigenvalues(values, off, d);
}

double gaussian_mi(double* matrix, int dx, int d, size_t ld, Arena& arena) {
    Arena::Scope scope(arena);
    const int dy = d - dx;
    const size_t ldy = padded(dy);
    double* y = arena.zeros<double>(ldy * dy);
    copy_block(matrix, ld, dx, dy, y, ldy);
    cholesky(matrix, d, ld);
    cholesky(y, dy, ldy);
    const double value = log_product(y, ldy + 1, dy) - log_product(matrix + dx * (ld + 1), ld + 1, dy);
    return std::min(std::max(value, 0.0), 500.0);
}

int squared_canonical(const double* matrix, size_t ld, int dx, int d, double keep, double ridge, bool unit,
                      double* squares, Arena& arena) {
    Arena::Scope scope(arena);
    // The squared singular values of L_x⁻¹ M_xy L_y⁻ᵀ, with the side of fewer columns for x.
    const int dy = d - dx;
    const bool swap = dy < dx;
    const int p = swap ? dy : dx, q = swap ? dx : dy, p_from = swap ? dx : 0, q_from = swap ? 0 : dx;
    const size_t ldp = padded(p), ldq = padded(q);
    double *p_block = arena.zeros<double>(ldp * p), *q_block = arena.zeros<double>(ldq * q);
    double *p_inverse = arena.get<double>(ldp * p), *q_inverse = arena.get<double>(ldq * q);
    auto fill = [&](double* block, size_t ldb, int from, int size) {
        for (int i = 0; i < size; ++i) {
            for (int j = 0; j < size; ++j) block[i * ldb + j] = keep * matrix[(from + i) * ld + from + j];
            block[i * ldb + i] = unit ? 1.0 : block[i * ldb + i] + ridge;
        }
    };
    fill(p_block, ldp, p_from, p);
    fill(q_block, ldq, q_from, q);
    cholesky(p_block, p, ldp);
    cholesky(q_block, q, ldq);
    inverse_factor(p_block, p, ldp, p_inverse, ldp);
    inverse_factor(q_block, q, ldq, q_inverse, ldq);
    double* cross = arena.zeros<double>(ldp * q);
    for (int i = 0; i < q; ++i)
        for (int j = 0; j < p; ++j) cross[i * ldp + j] = keep * matrix[(q_from + i) * ld + p_from + j];
    double *half = arena.zeros<double>(ldq * p), *white = arena.zeros<double>(ldq * p);
    double* gram = arena.zeros<double>(ldp * p);
    gemm_nt(p_inverse, ldp, cross, ldp, half, ldq, p, q, ldp);
    gemm_nt(half, ldq, q_inverse, ldq, white, ldq, p, q, ldq);
    gemm_nt(white, ldq, white, ldq, gram, ldp, p, p, ldq, true);
    mirror(gram, p, ldp);
    symmetric_eigenvalues(gram, p, ldp, squares, arena);
    return p;
}

void quantiles(double* values, int count, const double* levels, int how_many, double* out) {
    std::sort(values, values + count);
    for (int i = 0; i < how_many; ++i) {
        const double position = levels[i] * (count - 1);
        const int low = std::min(static_cast<int>(position), count - 1), high = std::min(low + 1, count - 1);
        out[i] = values[low] + (position - low) * (values[high] - values[low]);
    }
}

}  // namespace mistworks
