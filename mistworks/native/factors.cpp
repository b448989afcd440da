// Gaussian MI of factor models with 1, 2 and 4 factors: leading eigenpairs of R and a full diagonal. An eigenvalue ℓ
// loses what sampling adds to it, σ² (1 + d/n) with σ² the mean of the others (Baik, Silverstein 2006, to first order);
// communalities are at most 0.97.
#include <cmath>

#include "algebra.h"
#include "groups.h"

namespace mistworks {
namespace {
constexpr int MOST_FACTORS = 4;
constexpr double MOST_COMMUNALITY = 0.97;
}  // namespace

void factor_models(Sample& s) {
    const int d = s.d, most = std::min(MOST_FACTORS, d - 1);
    const Spectrum& spectrum = s.spectrum;
    double *vectors = s.arena.get<double>(static_cast<size_t>(MOST_FACTORS) * d);
    double *loadings = s.arena.get<double>(static_cast<size_t>(MOST_FACTORS) * d);
    double* matrix = s.arena.zeros<double>(s.ld * d);
    if (d == 2) {
        vectors[0] = std::sqrt(0.5);
        vectors[1] = s.correlation_of(0, 1) < 0 ? -vectors[0] : vectors[0];
    } else {
        top_vectors(spectrum.reflectors, d, s.ld, spectrum.diagonal, spectrum.off, spectrum.taus, spectrum.all, most,
                    vectors, s.arena.get<double>(4 * static_cast<size_t>(d)), s.arena);
    }
    for (int factors : {1, 2, 4}) {
        const int count = std::min(factors, d - 1);
        double noise = 0;
        for (int i = count; i < d; ++i) noise += std::max(spectrum.all[i], 0.0);
        noise /= d - count;
        for (int a = 0; a < count; ++a) {
            const double gain = std::sqrt(std::max(spectrum.all[a] - noise * (1 + static_cast<double>(d) / s.n), 0.0));
            for (int j = 0; j < d; ++j) loadings[a * d + j] = vectors[static_cast<size_t>(a) * d + j] * gain;
        }
        for (int j = 0; j < d; ++j) {
            double communality = 0;
            for (int a = 0; a < count; ++a) communality += loadings[a * d + j] * loadings[a * d + j];
            const double scale = std::sqrt(MOST_COMMUNALITY / std::max(communality, MOST_COMMUNALITY));
            for (int a = 0; a < count; ++a) loadings[a * d + j] *= scale;
        }
        for (int i = 0; i < d; ++i) {
            double* row = matrix + i * s.ld;
            std::fill(row, row + d, 0.0);
            for (int a = 0; a < count; ++a)
                for (int j = 0; j < d; ++j) row[j] += loadings[a * d + i] * loadings[a * d + j];
            row[i] = 1;
        }
        s.put(gaussian_mi(matrix, s.dx, d, s.ld, s.arena));
    }
}

}  // namespace mistworks
