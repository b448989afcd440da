// Linear algebra of small dense matrices in double precision. Matrices are row after row, `ld…` values apart; rows
// that gemm_nt reads are padded with zeros to a multiple of 8 (`padded`).
#pragma once
#include <cstddef>

#include "arena.h"
#include "simd.h"

namespace mistworks {

// C += A Bᵀ with A of shape (m, depth), B of (n, depth), `depth` a multiple of 8 (padded with zeros). With `lower`,
// only up to the diagonal (and some entries beyond), for A = B: see `mirror`.
void gemm_nt(const double* a, size_t lda, const double* b, size_t ldb, double* c, size_t ldc, int m, int n, int depth,
             bool lower = false);
// The upper triangle from the lower one.
void mirror(double* c, int d, size_t ldc);
// The block of `size` rows and columns from `from` on.
void copy_block(const double* a, size_t lda, int from, int size, double* b, size_t ldb);

// A = Uᵀ U in place, U in the upper triangle; returns whether A is positive definite.
bool cholesky(double* a, int d, size_t lda);
// L⁻¹ = U⁻ᵀ (lower triangle, rows filled up with zeros to ldi) of U from `cholesky`.
void inverse_factor(const double* u, int d, size_t lda, double* inverse, size_t ldi);
// Σ log(scale v + shift) over `count` values `step` apart, each bounded below by 1e-150.
double log_product(const double* values, size_t step, int count, double scale = 1, double shift = 0);

// Householder's reduction to a tridiagonal matrix. `a` is destroyed: its rows keep the reflectors that `top_vectors`
// needs. `diagonal`, `off`, `taus` and `work` have d values each.
void tridiagonal(double* a, int d, size_t lda, double* diagonal, double* off, double* taus, double* work);
// Eigenvalues of a tridiagonal matrix in descending order, in place of its diagonal; `off` is destroyed.
void eigenvalues(double* diagonal, double* off, int d);
// Eigenvectors of the `count` greatest eigenvalues, row after row of length d, from the results of `tridiagonal` and
// `eigenvalues`; `work` has 4 d values.
void top_vectors(const double* a, int d, size_t lda, const double* diagonal, const double* off, const double* taus,
                 const double* values, int count, double* vectors, double* work, Arena& arena);
// All eigenvalues of a symmetric matrix, which is destroyed, in descending order.
void symmetric_eigenvalues(double* a, int d, size_t lda, double* values, Arena& arena);

// ½ (log det Σ_xx + log det Σ_yy − log det Σ) in nats, within [0, 500]; the matrix, X first, is destroyed.
double gaussian_mi(double* matrix, int dx, int d, size_t ld, Arena& arena);

// Squared canonical correlations between the first dx and the other rows of keep · M + ridge · I (of keep · M with
// ones for its diagonal, if `unit`), in descending order, not bounded. Returns how many: min(dx, d − dx).
int squared_canonical(const double* matrix, size_t ld, int dx, int d, double keep, double ridge, bool unit,
                      double* squares, Arena& arena);

// Quantiles of values that are sorted for it, linear between order statistics.
void quantiles(double* values, int count, const double* levels, int how_many, double* out);

}  // namespace mistworks
