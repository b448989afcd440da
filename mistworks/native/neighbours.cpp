// KSG estimates (Kraskov, Stögbauer, Grassberger 2004) under the maximum norm of normal scores in single precision;
// formulas as in mistworks/statistics/neighbours.py.
//   ksg:        ψ(k) + ψ(m) − mean of ψ(n_x + 1) + ψ(n_y + 1), k = 1, 3, 6, 12 (equation 8).
//   rectangles: ψ(k) − 1/k + ψ(m) − mean of ψ(n_x) + ψ(n_y) for k = 3 (equation 9).
// Means over the queries, neighbours among the points: rows of all distances. One coordinate a side and more than 192
// points: all of at most 4,096 points are queries, by walking along x and by bisection.
#include <cmath>

#include "distances.h"
#include "groups.h"

namespace mistworks {
namespace {

constexpr int NEIGHBOURS[4] = {1, 3, 6, 12};
constexpr int MOST = 12;
constexpr int RECTANGLE = 3;
constexpr double TIE_BREAK = 1e-3;
// Up to here rows of distances are faster than sorting.
constexpr int FEW = 192;

struct Totals {
    double ksg[4] = {}, rectangles = 0;
    void put(Sample& s, int queries, int m, int k) const {
        for (double total : ksg) s.put(total / queries + psi(m));
        s.put(rectangles / queries + psi(k) - 1.0 / k + psi(m));
    }
};

// Points at one distance are told apart by the lesser of their two distances, not by their order.
template <class T> T key_of(T x, T y) {
    return std::max(x, y) + T(TIE_BREAK) * std::min(x, y);
}

void by_rows(Sample& s, const float* x, const float* y, int queries, int m, int length) {
    int used[4];
    for (int k = 0; k < 4; ++k) used[k] = std::min(NEIGHBOURS[k], m - 1);
    const int rectangle = std::min(RECTANGLE, m - 1);
    float *of_x = s.arena.get<float>(length), *of_y = s.arena.get<float>(length), *joint = s.arena.get<float>(length);
    uint16_t* near = s.arena.get<uint16_t>(length + 64);
    Totals totals;
    for (int i = 0; i < queries; ++i) {
        maximum_row(x, length, s.dx, x + i, length, of_x);
        maximum_row(y, length, s.dy, y + i, length, of_y);
        greater_row(of_x, of_y, length, joint);
        // The key may exceed the distance by TIE_BREAK.
        const int count = candidates(joint, length, m, used[3], static_cast<float>(1 + 1.1 * TIE_BREAK), near);
        float least[MOST + 1], keys[RECTANGLE + 1];
        least_of_row(joint, near, count, used[3] + 1, least);
        int have = 0;
        for (int t = 0; t < count; ++t) {
            const float v = key_of(of_x[near[t]], of_y[near[t]]);
            if (have == rectangle + 1 && v >= keys[rectangle]) continue;
            int j = have < rectangle + 1 ? have++ : rectangle;
            for (; j && keys[j - 1] > v; --j) keys[j] = keys[j - 1];
            keys[j] = v;
        }
        float x_side = 0, y_side = 0;
        for (int t = 0; t < count; ++t) {
            const float a = of_x[near[t]], b = of_y[near[t]];
            if (key_of(a, b) <= keys[rectangle]) {
                x_side = std::max(x_side, a);
                y_side = std::max(y_side, b);
            }
        }
        float x_radii[5], y_radii[5];
        // What is as far as the neighbour itself is out, whatever rounding did to it.
        for (int k = 0; k < 4; ++k) x_radii[k] = y_radii[k] = just_above(least[used[k]] * (1 - TOLERANCE));
        x_radii[4] = just_above(x_side * (1 + TOLERANCE));
        y_radii[4] = just_above(y_side * (1 + TOLERANCE));
        int32_t x_count[5], y_count[5];
        count_below<5>(of_x, length, x_radii, x_count);
        count_below<5>(of_y, length, y_radii, y_count);
        for (int k = 0; k < 4; ++k)
            totals.ksg[k] += psi(used[k]) - psi(std::max(x_count[k], 1)) - psi(std::max(y_count[k], 1));
        totals.rectangles -= psi(std::max(x_count[4] - 1, 1)) + psi(std::max(y_count[4] - 1, 1));
    }
    totals.put(s, queries, m, rectangle);
}

// The nearest points of one in the plane, with their distances in x and in y.
struct Nearest {
    double distance[MOST + 1], x[MOST + 1], y[MOST + 1];
    int have = 0, most;
    explicit Nearest(int most_) : most(most_) {}

    double farthest() const { return have == most ? distance[most - 1] : 1e29f; }
    void add(double dx, double dy) {
        const double v = std::max(dx, dy);
        if (have == most && v >= distance[most - 1]) return;
        int j = have < most ? have++ : most - 1;
        for (; j && distance[j - 1] > v; --j) {
            distance[j] = distance[j - 1];
            x[j] = x[j - 1];
            y[j] = y[j - 1];
        }
        distance[j] = v;
        x[j] = dx;
        y[j] = dy;
    }
};

// Others within a radius of the centre or on it, among sorted values.
int within(const float* sorted, int m, float centre, double radius) {
    const float* above = std::upper_bound(sorted, sorted + m, static_cast<double>(centre) + radius,
                                          [](double a, float b) { return a < b; });
    const float* below = std::lower_bound(sorted, sorted + m, static_cast<double>(centre) - radius,
                                          [](float a, double b) { return a < b; });
    return static_cast<int>(above - below) - 1;
}

void in_plane(Sample& s, const float* x_given, const float* y_given, int m) {
    int used[4];
    for (int k = 0; k < 4; ++k) used[k] = std::min(NEIGHBOURS[k], m - 1);
    const int rectangle = std::min(RECTANGLE, m - 1);
    int32_t* order = s.arena.get<int32_t>(m);
    for (int i = 0; i < m; ++i) order[i] = i;
    std::sort(order, order + m, [&](int32_t a, int32_t b) {
        return x_given[a] < x_given[b] || (x_given[a] == x_given[b] && y_given[a] < y_given[b]);
    });
    float *x = s.arena.get<float>(m), *y = s.arena.get<float>(m), *sorted_y = s.arena.get<float>(m);
    for (int i = 0; i < m; ++i) {
        x[i] = x_given[order[i]];
        y[i] = sorted_y[i] = y_given[order[i]];
    }
    std::sort(sorted_y, sorted_y + m);
    Totals totals;
    for (int i = 0; i < m; ++i) {
        // Differences of numbers in single precision are exact in double.
        const double at_x = x[i], at_y = y[i];
        Nearest nearest(used[3] + 1);
        nearest.add(0, 0);
        for (int left = i - 1, right = i + 1;;) {
            const double to_left = left >= 0 ? at_x - x[left] : 1e30, to_right = right < m ? x[right] - at_x : 1e30;
            if (std::min(to_left, to_right) >= nearest.farthest()) break;
            if (to_left <= to_right) {
                nearest.add(to_left, std::fabs(at_y - y[left]));
                --left;
            } else {
                nearest.add(to_right, std::fabs(at_y - y[right]));
                ++right;
            }
        }
        double keys[MOST + 1], sorted_keys[MOST + 1], x_side = 0, y_side = 0;
        for (int j = 0; j < nearest.have; ++j) sorted_keys[j] = keys[j] = key_of(nearest.x[j], nearest.y[j]);
        std::sort(sorted_keys, sorted_keys + nearest.have);
        for (int j = 0; j < nearest.have; ++j)
            if (keys[j] <= sorted_keys[rectangle]) {
                x_side = std::max(x_side, nearest.x[j]);
                y_side = std::max(y_side, nearest.y[j]);
            }
        for (int k = 0; k < 4; ++k) {
            const double radius = nearest.distance[used[k]] * (1 - 1e-6);
            totals.ksg[k] += psi(used[k]) - psi(std::max(within(x, m, x[i], radius), 0) + 1) -
                             psi(std::max(within(sorted_y, m, y[i], radius), 0) + 1);
        }
        totals.rectangles -= psi(std::max(within(x, m, x[i], x_side * (1 + 1e-6)), 1)) +
                             psi(std::max(within(sorted_y, m, y[i], y_side * (1 + 1e-6)), 1));
    }
    totals.put(s, m, m, rectangle);
}

// Scores of the first m points in single precision, shape (d, length), padded with FAR.
float* scores_of(Sample& s, int m, int length) {
    float* scores = s.arena.get<float>(static_cast<size_t>(s.d) * length);
    for (int j = 0; j < s.d; ++j) {
        const int32_t* r = s.column(j);
        float* to = scores + static_cast<size_t>(j) * length;
        for (int i = 0; i < m; ++i) to[i] = static_cast<float>(s.score[r[s.point(i)]]);
        for (int i = m; i < length; ++i) to[i] = FAR;
    }
    return scores;
}

}  // namespace

void nearest(Sample& s) {
    if (s.d == 2 && s.n > FEW) {
        const int m = std::min(s.n, PAIR_SUBSET);
        const float* scores = scores_of(s, m, m);
        in_plane(s, scores, scores + m, m);
        return;
    }
    const int length = padded_floats(s.points);
    const float* scores = scores_of(s, s.points, length);
    by_rows(s, scores, scores + static_cast<size_t>(s.dx) * length, s.queries, s.points, length);
}

}  // namespace mistworks
