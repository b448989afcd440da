// Sparse dependence; formulas as in mistworks/statistics/gaussian.py.
//   matched:     pairs (x_i, y_j) that correlate best with each other: for thresholds t, over those with
//                n r² > t (1 + log(dx dy)): −½ Σ log(1 − r²), log(1 + number), mean r²; |r| of the 1st, 2nd, 4th … pair.
//   thresholded: Gaussian MI after soft thresholding of R at t/√n, shrunk until its least eigenvalue is 0.02.
#include <cmath>

#include "algebra.h"
#include "canonical.h"
#include "groups.h"

namespace mistworks {
namespace {
constexpr double THRESHOLDS[] = {1.0, 2.0, 3.0};
constexpr double LEAST_EIGENVALUE = 0.02;
}  // namespace

void matched(Sample& s) {
    const int dx = s.dx, dy = s.dy;
    const double most = 1 - least_residual(s.n);
    double *row = s.arena.zeros<double>(dx), *column = s.arena.zeros<double>(dy);
    double *pairs = s.arena.get<double>(static_cast<size_t>(dx) * dy), *best = s.arena.get<double>(dx * size_t(dy));
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double r = s.correlation_of(i, dx + j), square = std::min(r * r, most);
            pairs[i * dy + j] = square;
            row[i] = std::max(row[i], square);
            column[j] = std::max(column[j], square);
        }
    int count = 0;
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double square = pairs[i * dy + j];
            if (square >= least_of(row[i]) && square >= least_of(column[j])) best[count++] = square;
        }
    std::sort(best, best + count, [](double a, double b) { return a > b; });
    for (double threshold : THRESHOLDS) {
        const double cut = threshold * (1 + std::log(static_cast<double>(dx) * dy));
        double terms = 0, sum = 0;
        int above = 0;
        for (; above < count && best[above] * s.n > cut; ++above) {
            terms -= 0.5 * std::log1p(-best[above]);
            sum += best[above];
        }
        s.put(terms);
        s.put(std::log1p(static_cast<double>(above)));
        s.put(sum / std::max(above, 1));
    }
    for (int place : {1, 2, 4, 8, 16}) s.put(std::sqrt(std::max(place <= count ? best[place - 1] : 0.0, 1e-12)));
}

void thresholded(Sample& s) {
    const int d = s.d;
    double* soft = s.arena.zeros<double>(s.ld * d);
    double* values = s.arena.get<double>(d);
    for (double threshold : THRESHOLDS) {
        const double cut = threshold / std::sqrt(static_cast<double>(s.n));
        auto fill = [&](double keep, double diagonal) {
            for (int i = 0; i < d; ++i) {
                for (int j = 0; j < d; ++j) {
                    const double r = s.correlation_of(i, j), left = std::max(std::fabs(r) - cut, 0.0);
                    soft[i * s.ld + j] = keep * (r < 0 ? -left : left);
                }
                soft[i * s.ld + i] = diagonal;
            }
        };
        // Positive definite less 0.02 I: nothing to shrink, and no eigenvalues needed.
        fill(1.0, 1.0 - LEAST_EIGENVALUE);
        double shrinkage = 0;
        if (!cholesky(soft, d, s.ld)) {
            fill(1.0, 1.0);
            symmetric_eigenvalues(soft, d, s.ld, values, s.arena);
            const double least = values[d - 1];
            shrinkage = std::min(std::max((LEAST_EIGENVALUE - least) / std::max(1 - least, 1e-6), 0.0), 1.0);
        }
        fill(1 - shrinkage, 1.0);
        s.put(gaussian_mi(soft, s.dx, d, s.ld, s.arena));
    }
}

}  // namespace mistworks
