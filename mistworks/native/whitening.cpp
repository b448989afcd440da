// Mahalanobis distances; see whitening.h.
#include "whitening.h"

#include "simd.h"

namespace mistworks {
namespace {

template <int ROWS>
MISTWORKS_INLINE void tile(const double* l, size_t ld, const double* z, int columns, Doubles* squares) {
    Doubles total[ROWS][4];
    for (int i = 0; i < ROWS; ++i)
        for (int v = 0; v < 4; ++v) total[i][v] = Doubles{};
    for (int k = 0; k < columns; ++k) {
        Doubles x[4];
        for (int v = 0; v < 4; ++v) x[v] = load(z + static_cast<size_t>(k) * BLOCK + DOUBLES * v);
        for (int i = 0; i < ROWS; ++i) {
            const double f = l[i * ld + k];
            for (int v = 0; v < 4; ++v) total[i][v] += f * x[v];
        }
    }
    for (int i = 0; i < ROWS; ++i)
        for (int v = 0; v < 4; ++v) squares[v] += total[i][v] * total[i][v];
}

}  // namespace

Whitener::Whitener(Sample& s, const double* matrix, double keep) : ld(padded(s.d)), y_ld(padded(s.dy)) {
    const int d = s.d, dx = s.dx, dy = s.dy;
    // Tiles of rows read up to 4 columns beyond a row's own.
    inverse = s.arena.get<double>(ld * (d + 4));
    y_inverse = s.arena.get<double>(y_ld * (dy + 4));
    Arena::Scope scope(s.arena);
    double *whole = s.arena.zeros<double>(ld * d), *y = s.arena.zeros<double>(y_ld * dy);
    for (int i = 0; i < d; ++i) {
        for (int j = 0; j < d; ++j) whole[i * ld + j] = keep * matrix[i * s.ld + j];
        whole[i * ld + i] = 1;
    }
    copy_block(whole, ld, dx, dy, y, y_ld);
    cholesky(whole, d, ld);
    cholesky(y, dy, y_ld);
    log_x = log_product(whole, ld + 1, dx);
    log_y_given_x = log_product(whole + dx * (ld + 1), ld + 1, dy);
    log_y = log_product(y, y_ld + 1, dy);
    inverse_factor(whole, d, ld, inverse, ld);
    inverse_factor(y, dy, y_ld, y_inverse, y_ld);
}

void whitened_squares(const double* inverse, size_t ld, const double* z, int first, int last, int count, double* out) {
    for (int point = 0; point < count; point += 4 * DOUBLES) {
        Doubles squares[4] = {Doubles{}, Doubles{}, Doubles{}, Doubles{}};
        for (int i = first; i < last; i += 4) {
            const double* rows = inverse + i * ld;
            switch (std::min(4, last - i)) {
                case 4: tile<4>(rows, ld, z + point, i + 4, squares); break;
                case 3: tile<3>(rows, ld, z + point, i + 3, squares); break;
                case 2: tile<2>(rows, ld, z + point, i + 2, squares); break;
                case 1: tile<1>(rows, ld, z + point, i + 1, squares); break;
            }
        }
        for (int v = 0; v < 4; ++v) store(out + point + DOUBLES * v, squares[v]);
    }
}

}  // namespace mistworks
