// Dependence through a shared scale; formulas as in mistworks/statistics/tails.py.
//   t_copula: for each ν the dispersion by one step of EM from R (Liu, Rubin 1995), shrunk; with weights proportional to
//             exp(n ℓ_ν), ℓ the mean log density of the copula, the means of log ν, of the MI's closed form, of its
//             excess over the Gaussian one, of the mean of log c_xy − log c_x − log c_y, and of the Gaussian MI; then
//             (ℓ_ν − ℓ_normal) / √d within ±3.
//   radii:    correlation and spread of the logarithms of the squared Mahalanobis radii of X and of Y.
//   squares:  correlations of squared scores less r²: quantiles across, means across and within.
#include <cmath>

#include "algebra.h"
#include "groups.h"
#include "whitening.h"

namespace mistworks {
namespace {

constexpr double LEAST_SHRINKAGE = 0.01;
// Across the sides shrinkage hides strong dependence.
constexpr double LEAST_SHRINKAGE_OF_ALL = 1e-4;
// The ν that stands for the normal copula in means of log ν.
constexpr double NORMAL = 60.0;

double shrinkage(const Sample& s, double factor, double least) {
    return std::min(0.5, std::max(least, factor * s.d / s.n));
}

double log_constant(int d, double nu) {
    return std::lgamma((nu + d) / 2) - std::lgamma(nu / 2) - 0.5 * d * std::log(nu * PI);
}

// Entropy of a t distribution less that of its dispersion's normal, but for terms that cancel.
double entropy(int m, double nu) {
    const double upper = (nu + m) / 2, lower = nu / 2;
    return upper * (digamma(upper) - digamma(lower)) + std::lgamma(lower) - std::lgamma(upper);
}

// Σ log(1 + v / ν), a logarithm for 16 values.
double log1p_sum(const double* values, double nu, int count) {
    const double inverse = 1 / nu;
    double total = 0;
    for (int i = 0; i < count; i += 16) {
        double product = 1;
        const int end = std::min(i + 16, count);
        for (int j = i; j < end; ++j) product *= 1 + values[j] * inverse;
        total += std::log(product);
    }
    return total;
}

// Squared radii of a block: of X, of Y given X, of Y alone.
struct Radii {
    double *x, *y_given_x, *y;
    explicit Radii(Arena& arena)
        : x(arena.get<double>(BLOCK)), y_given_x(arena.get<double>(BLOCK)), y(arena.get<double>(BLOCK)) {}

    void fill(const Sample& s, const Whitener& w, const double* z, int count) {
        whitened_squares(w.inverse, w.ld, z, 0, s.dx, count, x);
        whitened_squares(w.inverse, w.ld, z, s.dx, s.d, count, y_given_x);
        whitened_squares(w.y_inverse, w.y_ld, z + static_cast<size_t>(s.dx) * BLOCK, 0, s.dy, count, y);
    }
};

// Student-t quantiles of `count` points from `first` on for all ν, shape (STUDENTS, d, BLOCK), zeros behind the last.
void gather_students(const Sample& s, int first, int count, double* out) {
    const size_t step = static_cast<size_t>(s.d) * BLOCK;
    for (int j = 0; j < s.d; ++j) {
        const int32_t* r = s.column(j) + first;
        double* to = out + static_cast<size_t>(j) * BLOCK;
        const int last = s.n - first - 1;
        for (int i = 0; i < count; ++i) {
            __builtin_prefetch(s.students + static_cast<size_t>(STUDENT_ROW) * r[std::min(i + AHEAD, last)]);
            const double* row = s.students + static_cast<size_t>(STUDENT_ROW) * r[i];
            for (int k = 0; k < STUDENTS; ++k) to[k * step + i] = row[k];
        }
        for (int k = 0; k < STUDENTS; ++k)
            for (int i = count; i < BLOCK; ++i) to[k * step + i] = 0;
    }
}

// Dispersion matrices: moments of z weighted by (ν + d) / (ν + q), scaled to a diagonal of 1.
void fit(Sample& s, const Whitener& start, double* const* moments, double* blocks) {
    Arena::Scope scope(s.arena);
    double* weights = s.arena.get<double>(BLOCK);
    for (int first = 0; first < s.n; first += BLOCK) {
        const int count = std::min(BLOCK, s.n - first), depth = padded(count);
        gather_students(s, first, count, blocks);
        for (int k = 0; k < STUDENTS; ++k) {
            const double nu = DEGREES_OF_FREEDOM[k];
            double* z = blocks + k * static_cast<size_t>(s.d) * BLOCK;
            whitened_squares(start.inverse, start.ld, z, 0, s.d, count, weights);
            for (int i = 0; i < depth; ++i) weights[i] = std::sqrt((nu + s.d) / (nu + weights[i]));
            for (int j = 0; j < s.d; ++j) {
                double* column = z + static_cast<size_t>(j) * BLOCK;
                for (int i = 0; i < depth; ++i) column[i] *= weights[i];
            }
            gemm_nt(z, BLOCK, z, BLOCK, moments[k], s.ld, s.d, s.d, depth, true);
        }
    }
    double* scale = s.arena.get<double>(s.d);
    for (int k = 0; k < STUDENTS; ++k) {
        double* m = moments[k];
        for (int i = 0; i < s.d; ++i) scale[i] = 1 / std::sqrt(std::max(m[i * s.ld + i], 1e-12));
        for (int i = 0; i < s.d; ++i)
            for (int j = 0; j <= i; ++j) m[i * s.ld + j] *= scale[i] * scale[j];
        mirror(m, s.d, s.ld);
    }
}

struct Copula {
    double log_likelihood, mi, excess, pointwise;
};

void student_copulas(Sample& s, double* const* dispersions, double keep, double* blocks, Copula* out) {
    Arena::Scope scope(s.arena);
    const int d = s.d, dx = s.dx, dy = s.dy, n = s.n;
    const Whitener w[STUDENTS] = {{s, dispersions[0], keep},
                                  {s, dispersions[1], keep},
                                  {s, dispersions[2], keep},
                                  {s, dispersions[3], keep},
                                  {s, dispersions[4], keep}};
    Radii radii(s.arena);
    double joint_logs[STUDENTS] = {}, x_logs[STUDENTS] = {}, y_logs[STUDENTS] = {};
    for (int first = 0; first < n; first += BLOCK) {
        const int count = std::min(BLOCK, n - first);
        gather_students(s, first, count, blocks);
        for (int k = 0; k < STUDENTS; ++k) {
            const double nu = DEGREES_OF_FREEDOM[k];
            radii.fill(s, w[k], blocks + k * static_cast<size_t>(d) * BLOCK, count);
            for (int i = 0; i < count; ++i) radii.y_given_x[i] += radii.x[i];
            joint_logs[k] += log1p_sum(radii.y_given_x, nu, count);
            x_logs[k] += log1p_sum(radii.x, nu, count);
            y_logs[k] += log1p_sum(radii.y, nu, count);
        }
    }
    for (int k = 0; k < STUDENTS; ++k) {
        const double nu = DEGREES_OF_FREEDOM[k];
        const double joint =
            log_constant(d, nu) - w[k].log_x - w[k].log_y_given_x - 0.5 * (nu + d) * joint_logs[k] / n;
        const double x = log_constant(dx, nu) - w[k].log_x - 0.5 * (nu + dx) * x_logs[k] / n;
        const double y = log_constant(dy, nu) - w[k].log_y - 0.5 * (nu + dy) * y_logs[k] / n;
        const double single = d * (log_constant(1, nu) - 0.5 * (nu + 1) * s.log_tail[k]);
        out[k] = {joint - single, w[k].mi(), entropy(dx, nu) + entropy(dy, nu) - entropy(d, nu), joint - x - y};
    }
}

Copula normal_copula(Sample& s, const Whitener& w, double* z) {
    Arena::Scope scope(s.arena);
    Radii radii(s.arena);
    double x = 0, y_given_x = 0, y = 0, norm = 0;
    for (int first = 0; first < s.n; first += BLOCK) {
        const int count = std::min(BLOCK, s.n - first);
        gather(s, s.score, first, count, z);
        radii.fill(s, w, z, count);
        for (int i = 0; i < count; ++i) {
            x += radii.x[i];
            y_given_x += radii.y_given_x[i];
            y += radii.y[i];
        }
    }
    for (int r = 0; r < s.n; ++r) norm += s.score[r] * s.score[r];
    const double joint = -w.log_x - w.log_y_given_x - 0.5 * (x + y_given_x) / s.n;
    const double of_x = -w.log_x - 0.5 * x / s.n, of_y = -w.log_y - 0.5 * y / s.n;
    return {joint + 0.5 * s.d * norm / s.n, w.mi(), 0.0, joint - of_x - of_y};
}

}  // namespace

void t_copula(Sample& s) {
    const double keep = 1 - shrinkage(s, 0.25, LEAST_SHRINKAGE_OF_ALL);
    double* z = s.arena.get<double>(STUDENTS * static_cast<size_t>(s.d) * BLOCK);
    const Whitener start(s, s.correlation, keep);
    double* moments[STUDENTS];
    for (auto& moment : moments) moment = s.arena.zeros<double>(s.ld * s.d);
    fit(s, start, moments, z);
    Copula copulas[STUDENTS + 1];
    student_copulas(s, moments, keep, z, copulas);
    copulas[STUDENTS] = normal_copula(s, start, z);
    double most = copulas[0].log_likelihood, total = 0, weight[STUDENTS + 1], averages[5] = {};
    for (const Copula& copula : copulas) most = std::max(most, copula.log_likelihood);
    for (int k = 0; k <= STUDENTS; ++k) total += weight[k] = std::exp(s.n * (copulas[k].log_likelihood - most));
    for (int k = 0; k <= STUDENTS; ++k) {
        const Copula& c = copulas[k];
        const double share = weight[k] / total;
        averages[0] += share * std::log(k < STUDENTS ? DEGREES_OF_FREEDOM[k] : NORMAL);
        averages[1] += share * (c.mi + c.excess);
        averages[2] += share * c.excess;
        averages[3] += share * c.pointwise;
        averages[4] += share * c.mi;
    }
    s.put(averages, 5);
    for (int k = 0; k < STUDENTS; ++k) {
        const double gain = copulas[k].log_likelihood - copulas[STUDENTS].log_likelihood;
        s.put(std::min(std::max(gain / std::sqrt(static_cast<double>(s.d)), -3.0), 3.0));
    }
}

void radii(Sample& s) {
    const Whitener w(s, s.correlation, 1 - shrinkage(s, 0.5, LEAST_SHRINKAGE));
    double* z = s.arena.get<double>(static_cast<size_t>(s.d) * BLOCK);
    Radii radii(s.arena);
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int first = 0; first < s.n; first += BLOCK) {
        const int count = std::min(BLOCK, s.n - first);
        gather(s, s.score, first, count, z);
        whitened_squares(w.inverse, w.ld, z, 0, s.dx, count, radii.x);
        whitened_squares(w.y_inverse, w.y_ld, z + static_cast<size_t>(s.dx) * BLOCK, 0, s.dy, count, radii.y);
        for (int i = 0; i < count; ++i) {
            const double a = std::log(radii.x[i] + 1e-3), b = std::log(radii.y[i] + 1e-3);
            x += a;
            y += b;
            xx += a * a;
            yy += b * b;
            xy += a * b;
        }
    }
    const double n = s.n;
    const double x_variance = std::max(xx / n - x / n * x / n, 0.0), y_variance = std::max(yy / n - y / n * y / n, 0.0);
    s.put((xy / n - x / n * y / n) / std::sqrt(std::max(x_variance * y_variance, 1e-12)));
    // Against the variance of log χ².
    const double x_spread = std::sqrt(x_variance * n / (n - 1) / trigamma(s.dx / 2.0));
    const double y_spread = std::sqrt(y_variance * n / (n - 1) / trigamma(s.dy / 2.0));
    s.put(std::log1p(std::max(x_spread, y_spread)));
    s.put(std::log1p(std::min(x_spread, y_spread)));
}

void squares(Sample& s) {
    // Standardised squares by rank: columns have the same moments.
    double* square = s.arena.get<double>(s.n);
    double mean = 0, variance = 0;
    for (int r = 0; r < s.n; ++r) mean += square[r] = s.score[r] * s.score[r];
    mean /= s.n;
    for (int r = 0; r < s.n; ++r) variance += (square[r] - mean) * (square[r] - mean);
    const double scale = 1 / std::sqrt(std::max(variance / s.n, 1e-12));
    for (int r = 0; r < s.n; ++r) square[r] = (square[r] - mean) * scale;
    double* z = s.arena.get<double>(static_cast<size_t>(s.d) * BLOCK);
    double* moments = s.arena.zeros<double>(s.ld * s.d);
    for (int first = 0; first < s.n; first += BLOCK) {
        const int count = std::min(BLOCK, s.n - first);
        gather(s, square, first, count, z);
        gemm_nt(z, BLOCK, z, BLOCK, moments, s.ld, s.d, s.d, padded(count), true);
    }
    mirror(moments, s.d, s.ld);
    double* across = s.arena.get<double>(static_cast<size_t>(s.dx) * s.dy);
    double sum = 0, within[2] = {0, 0};
    int count = 0;
    for (int i = 0; i < s.d; ++i)
        for (int j = 0; j < s.d; ++j) {
            const double r = s.correlation_of(i, j), m = moments[i * s.ld + j] / s.n - r * r;
            if (i < s.dx && j >= s.dx)
                sum += across[count++] = m;
            else if (i != j && (i < s.dx) == (j < s.dx))
                within[i >= s.dx] += m;
        }
    constexpr double LEVELS[] = {0.5, 0.9, 1.0};
    double levels[3];
    quantiles(across, count, LEVELS, 3, levels);
    s.put(levels, 3);
    s.put(sum / count);
    s.both_sides(within[0] / std::max(s.dx * (s.dx - 1), 1), within[1] / std::max(s.dy * (s.dy - 1), 1));
}

}  // namespace mistworks
