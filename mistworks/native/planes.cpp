// KSG estimates of pairs (x_i, y_j), for products of pairs whose copula is not normal; formulas as in
// mistworks/statistics/planes.py.
//   pairs:    each other's strongest by r² or χ² / (1 + χ²); clear if n r² > 2 (1 + log dx dy), n χ² > 4 times that, or
//             Î_3 > 2.5 / √n. The first eight are evaluated.
//   mi:       Σ J over clear pairs, J = −½ log(1 − r²), plus the mean of Î_k − J of those evaluated times the number of
//             clear pairs, k = 1 and 3; the same of max(Î_1, J) − J.
//   sums:     Σ Î_3 and Σ Î_3 − J of those evaluated.  greatest: Î_3.  clear: log(1 + number).
#include <cmath>

#include "canonical.h"
#include "groups.h"
#include "plane.h"

namespace mistworks {
namespace {

constexpr int PLANE_POINTS = 2048;
constexpr int KINDS = 2;
constexpr int NEIGHBOURS[KINDS] = {1, 3};
constexpr int FIRST = 0, MIDDLE = 1;
constexpr int MOST_PAIRS = 8;
constexpr int LEADING = 3;
constexpr int LEAST_POINTS = 8;
constexpr double THRESHOLD = 2.0;
constexpr double ORDERS = 4;
constexpr double CLEAR_NEIGHBOURS = 2.5;
constexpr double UNCLEAR = 1e-2;
constexpr double TIE_BREAK = 1e-3;
constexpr double RELATIVE = 1 - 1e-6;

struct Pair {
    double strength, normal;
    int i, j;
    bool clear;
    double ksg[KINDS];
};

// The three least distances.
struct Least {
    double first = 1e30, second = 1e30, third = 1e30;
    void add(double v) {
        third = std::min(third, std::max(second, v));
        second = std::min(second, std::max(first, v));
        first = std::min(first, v);
    }
};

void ksg_in_plane(const Plane& plane, double* estimates) {
    // So many on each side in x first: with a bound from those each side is left early.
    constexpr int NEAR = 8;
    const int m = plane.m;
    const double *x = plane.x, *y = plane.y;
    double totals[KINDS] = {};
    for (int i = 0; i < m; ++i) {
        const double at_x = x[i], at_y = y[i];
        Least least;
        const int left = std::max(i - NEAR, 0), right = std::min(i + NEAR + 1, m);
        auto distance = [&](int j) { return std::max(std::fabs(x[j] - at_x), std::fabs(y[j] - at_y)); };
        for (int j = left; j < i; ++j) least.add(distance(j));
        for (int j = i + 1; j < right; ++j) least.add(distance(j));
        for (int j = left - 1; j >= 0 && at_x - x[j] < least.third; --j) {
            const double v = distance(j);
            if (v < least.third) least.add(v);
        }
        for (int j = right; j < m && x[j] - at_x < least.third; ++j) {
            const double v = distance(j);
            if (v < least.third) least.add(v);
        }
        const double radii[KINDS] = {least.first * RELATIVE, least.third * RELATIVE};
        for (int k = 0; k < KINDS; ++k)
            totals[k] -= psi(within(x, m, at_x, radii[k])) + psi(within(plane.sorted_y, m, at_y, radii[k]));
    }
    for (int k = 0; k < KINDS; ++k) estimates[k] = std::max(totals[k] / m + psi(NEIGHBOURS[k]) + psi(m), 0.0);
}

void evaluate(Sample& s, Pair& pair) {
    if (s.has_plane_totals && s.n <= PLANE_POINTS) {
        for (int k = 0; k < KINDS; ++k) pair.ksg[k] = std::max(s.plane_totals[k] / s.n + psi(s.n), 0.0);
        return;
    }
    Arena::Scope scope(s.arena);
    ksg_in_plane(plane_of(s, pair.i, pair.j, PLANE_POINTS), pair.ksg);
}

}  // namespace

void planes(Sample& s) {
    const int n = s.n, dx = s.dx, dy = s.dy;
    if (n < LEAST_POINTS) {
        for (int i = 0; i < KINDS + 1 + 2 + LEADING + 1; ++i) s.put(0);
        return;
    }
    const double most = 1 - least_residual(n), cut = THRESHOLD * (1 + std::log(static_cast<double>(dx) * dy));
    double* strength = s.arena.get<double>(static_cast<size_t>(dx) * dy);
    double *row = s.arena.zeros<double>(dx), *column = s.arena.zeros<double>(dy);
    auto square_of = [&](int i, int j) {
        const double r = s.correlation_of(i, dx + j);
        return std::min(r * r, most);
    };
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double square = square_of(i, j), chi = std::max(s.divergence[i * dy + j], 0.0);
            const double linear = (square * n > cut ? 1 : UNCLEAR) * square;
            const double other = (chi * n > cut * ORDERS ? 1 : UNCLEAR) * chi / (1 + chi);
            const double v = std::max(linear, other) + TIE_BREAK * std::min(linear, other);
            strength[i * dy + j] = v;
            row[i] = std::max(row[i], v);
            column[j] = std::max(column[j], v);
        }
    Pair* pairs = s.arena.get<Pair>(static_cast<size_t>(dx) * dy);
    int count = 0;
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double v = strength[i * dy + j], square = square_of(i, j);
            if (v < least_of(row[i]) || v < least_of(column[j])) continue;
            const bool clear = square * n > cut || s.divergence[i * dy + j] * n > cut * ORDERS;
            pairs[count++] = {v, -0.5 * std::log1p(-square), i, j, clear, {}};
        }
    const int evaluated = std::min(count, MOST_PAIRS);
    std::partial_sort(pairs, pairs + evaluated, pairs + count,
                      [](const Pair& a, const Pair& b) { return a.strength > b.strength; });
    double normal = 0, shapes[KINDS + 1] = {}, plain = 0, greatest[MOST_PAIRS] = {};
    int number = 0, clear = 0;
    for (int p = 0; p < count; ++p) {
        Pair& pair = pairs[p];
        if (p < evaluated) {
            evaluate(s, pair);
            greatest[p] = pair.ksg[MIDDLE];
            pair.clear |= pair.ksg[MIDDLE] > CLEAR_NEIGHBOURS / std::sqrt(static_cast<double>(n));
        }
        if (!pair.clear) continue;
        ++number;
        normal += pair.normal;
        if (p >= evaluated) continue;
        ++clear;
        for (int k = 0; k < KINDS; ++k) shapes[k] += pair.ksg[k] - pair.normal;
        shapes[KINDS] += std::max(pair.ksg[FIRST] - pair.normal, 0.0);
        plain += pair.ksg[MIDDLE];
    }
    for (double shape : shapes) s.put(normal + shape * number / std::max(clear, 1));
    s.put(plain);
    s.put(shapes[MIDDLE]);
    std::sort(greatest, greatest + MOST_PAIRS, [](double a, double b) { return a > b; });
    s.put(greatest, LEADING);
    s.put(std::log1p(static_cast<double>(number)));
}

}  // namespace mistworks
