// KSG estimates (Kraskov, Stögbauer, Grassberger 2004) under the maximum norm of normal scores in single precision;
// formulas as in mistworks/statistics/neighbours.py.
//   ksg:        ψ(k) + ψ(m) − mean of ψ(n_x + 1) + ψ(n_y + 1), k = 1, 3, 6, 12 (equation 8).
//   rectangles: ψ(k) − 1/k + ψ(m) − mean of ψ(n_x) + ψ(n_y) for k = 3 (equation 9).
// Means over the queries, neighbours among the points: rows of all distances. One coordinate a side and more than 192
// points: all of at most 4,096 points are queries, by distances to a strip of points along x and by bisection.
#include <cmath>

#include "distances.h"
#include "groups.h"
#include "plane.h"

namespace mistworks {
namespace {

constexpr int NEIGHBOURS[4] = {1, 3, 6, 12};
constexpr int MOST = 12;
constexpr int RECTANGLE = 3;
// NEIGHBOURS[MIDDLE] is RECTANGLE.
constexpr int MIDDLE = 1;
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
        float least[4], keys[RECTANGLE + 1];
        least_at<4>(joint, near, count, used, least);
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
        for (int k = 0; k < 4; ++k) x_radii[k] = y_radii[k] = just_above(least[k] * (1 - TOLERANCE));
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

// The nearest points of each point of a plane, itself among them: from distances to a strip of points about it, which
// is as wide along x as they need.
struct Strip {
    static constexpr int LANES = 16;
    const Plane& plane;
    int length, half;
    float *x, *y, *row;
    uint16_t* near;
    // Of the points found.
    double *of_x, *of_y, *joint, *key;

    Strip(Arena& arena, const Plane& plane_, int k)
        : plane(plane_),
          length((plane_.m + LANES - 1) & ~(LANES - 1)),
          // Independent points have their k neighbours within a square that is as wide as so many points.
          half((static_cast<int>(std::sqrt(static_cast<double>(k) * plane_.m) / 2) + LANES) & ~(LANES - 1)),
          x(arena.get<float>(length)),
          y(arena.get<float>(length)),
          row(arena.get<float>(length)),
          near(arena.get<uint16_t>(length + LANES)),
          of_x(arena.get<double>(length + COUNTED)),
          of_y(arena.get<double>(length + COUNTED)),
          joint(arena.get<double>(length + COUNTED)),
          key(arena.get<double>(length + COUNTED)) {
        for (int j = 0; j < length; ++j) {
            x[j] = j < plane.m ? static_cast<float>(plane.x[j]) : FAR;
            y[j] = j < plane.m ? static_cast<float>(plane.y[j]) : FAR;
        }
    }

    void measure(int i, int from, int to, Floats* lanes) {
        const float at_x = x[i], at_y = y[i];
        for (int j = from; j < to; j += LANES)
            for (int l = 0; l < PER_16; ++l) {
                const int at = j + FLOATS * l;
                const Floats v = greater(absolute(load(x + at) - at_x), absolute(load(y + at) - at_y));
                store(row + at, v);
                lanes[l] = lesser(lanes[l], v);
            }
    }

    // Points that may be among the k nearest to point i, with their distances; returns how many.
    int find(int i, int k) {
        Floats lanes[PER_16];
        for (Floats& lane : lanes) lane = Floats{} + FAR;
        int from = std::max(i - half, 0) & -LANES, to = std::min((i + half + LANES) & -LANES, length);
        measure(i, from, to, lanes);
        float bound;
        for (;;) {
            bound = least_of_lanes(lanes, k) * (1 + TOLERANCE);
            const int old_from = from, old_to = to;
            if (from && x[i] - x[from - 1] <= bound) from = std::max(from - half, 0) & -LANES;
            if (to < length && x[to] - x[i] <= bound) to = std::min((to + half) & -LANES, length);
            if (from == old_from && to == old_to) break;
            measure(i, from, old_from, lanes);
            measure(i, old_to, to, lanes);
        }
        const int count = up_to(row + from, to - from, std::min(to, plane.m) - from, bound, near);
        for (int t = 0; t < count; ++t) {
            const int j = from + near[t];
            of_x[t] = std::fabs(plane.x[j] - plane.x[i]);
            of_y[t] = std::fabs(plane.y[j] - plane.y[i]);
            joint[t] = std::max(of_x[t], of_y[t]);
        }
        return count;
    }

    // The (places[k]+1)-th least distances of those found, and the sides of the rectangle of places[MIDDLE] neighbours.
    void order(int count, const int* places, double* least, double& x_side, double& y_side) {
        if (count <= COUNTED) {
            for (int t = count; t < COUNTED; ++t) joint[t] = FAR;
            least_by_counting<COUNTED, 4>(joint, count, places, least);
        } else {
            double* sorted = key;
            std::copy(joint, joint + count, sorted);
            std::partial_sort(sorted, sorted + places[3] + 1, sorted + count);
            for (int k = 0; k < 4; ++k) least[k] = sorted[places[k]];
        }
        double farthest = 0;
        for (int t = 0; t < count; ++t) {
            key[t] = key_of(of_x[t], of_y[t]);
            farthest = std::max(farthest, joint[t] <= least[MIDDLE] ? key[t] : 0.0);
        }
        // Of points a little farther away the key may be less: those take part in the choice.
        double close[MOST + 1];
        int have = 0;
        for (int t = 0; t < count; ++t) {
            if (key[t] > farthest) continue;
            int j = std::min(have++, MOST);
            for (; j && close[j - 1] > key[t]; --j) close[j] = close[j - 1];
            close[j] = key[t];
        }
        farthest = close[places[MIDDLE]];
        x_side = y_side = 0;
        for (int t = 0; t < count; ++t) {
            x_side = std::max(x_side, key[t] <= farthest ? of_x[t] : 0.0);
            y_side = std::max(y_side, key[t] <= farthest ? of_y[t] : 0.0);
        }
    }
};

void in_plane(Sample& s) {
    const Plane plane = plane_of(s, 0, 0, PAIR_SUBSET);
    const int m = plane.m;
    Strip strip(s.arena, plane, MOST);
    Totals totals;
    for (int i = 0; i < m; ++i) {
        const double at_x = plane.x[i], at_y = plane.y[i];
        double least[4], x_side, y_side;
        strip.order(strip.find(i, MOST), NEIGHBOURS, least, x_side, y_side);
        for (int k = 0; k < 4; ++k) {
            const double radius = least[k] * (1 - 1e-6);
            totals.ksg[k] += psi(NEIGHBOURS[k]) - psi(within(plane.x, m, at_x, radius)) -
                             psi(within(plane.sorted_y, m, at_y, radius));
        }
        totals.rectangles -= psi(std::max(within(plane.x, m, at_x, x_side * (1 + 1e-6)) - 1, 1)) +
                             psi(std::max(within(plane.sorted_y, m, at_y, y_side * (1 + 1e-6)) - 1, 1));
    }
    totals.put(s, m, m, RECTANGLE);
    s.has_plane_totals = m == s.n;
    for (int k = 0; k < 2; ++k) s.plane_totals[k] = totals.ksg[k];
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
        in_plane(s);
        return;
    }
    const int length = padded_floats(s.points);
    const float* scores = scores_of(s, s.points, length);
    by_rows(s, scores, scores + static_cast<size_t>(s.dx) * length, s.queries, s.points, length);
}

}  // namespace mistworks
