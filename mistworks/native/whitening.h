// Mahalanobis distances: rows of L⁻¹ z with L Lᵀ a shrunk correlation matrix.
#pragma once
#include "algebra.h"
#include "sample.h"

namespace mistworks {

// Factors of M = keep · matrix with ones for its diagonal: L⁻¹ of the whole, whose leading rows whiten X alone, and of
// its block of Y.
struct Whitener {
    double *inverse, *y_inverse;
    size_t ld, y_ld;
    // Σ log diag L: of X, of Y given X, of Y alone.
    double log_x, log_y_given_x, log_y;

    Whitener(Sample& sample, const double* matrix, double keep);
    double mi() const { return std::min(std::max(log_y - log_y_given_x, 0.0), 500.0); }
};

// Σ over rows first … last − 1 of (L⁻¹ z)², for `count` points of z of shape (rows, BLOCK), padded with zeros; out has
// BLOCK values.
void whitened_squares(const double* inverse, size_t ld, const double* z, int first, int last, int count, double* out);

}  // namespace mistworks
