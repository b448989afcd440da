// One side in classes, the other a block of columns; formulas as in mistworks/statistics/classes.py.
//   discriminant: H(C) + mean log p(c | z), each point left out: with q_ab = (z − μ_a)ᵀ S⁻¹ (z − μ_b),
//   r = (1 − λ) n_c/(n_c − 1), D_k = q_kk + r q_kc² / (1 − r q_cc), D_c = (n_c/(n_c − 1))² q_cc / (1 − r q_cc),
//   log p ∝ log π_k − ½ t (m − K − 1) D_k.
//   nearest: ψ(m) + ⟨ψ(k)⟩ − ⟨ψ(n_c)⟩ − ⟨ψ(j)⟩ (Ross 2014), k = min(3, n_c − 1).
#include <cmath>

#include "algebra.h"
#include "distances.h"
#include "groups.h"
#include "states.h"

namespace mistworks {
namespace {

constexpr int MOST_CLASSES = 32;
constexpr int MOST_STATES = 256;
constexpr int MOST_POINTS = 4096;
constexpr int NEIGHBOURS = 3;
constexpr double TEMPERATURES[] = {1.0, 0.7, 0.45, 0.25, 0.1};

// Points of the other side with the class of each.
struct Labelled {
    int from, d, m, classes;
    int32_t *point, *label, *count;
};

struct Found {
    double linear = 0, near = 0, entropy = 0, few = 0, any = 0;
};

double discriminant(Sample& s, const Labelled& of, double entropy) {
    Arena::Scope scope(s.arena);
    const int m = of.m, d = of.d, classes = of.classes;
    const size_t ld = padded(d);
    // One row a point.
    double* z = s.arena.zeros<double>(ld * m);
    for (int k = 0; k < d; ++k) {
        const int32_t* rank = s.column(of.from + k);
        for (int i = 0; i < m; ++i) z[ld * i + k] = s.score[rank[of.point[i]]];
    }
    double* means = s.arena.zeros<double>(ld * classes);
    for (int i = 0; i < m; ++i)
        for (int k = 0; k < d; ++k) means[ld * of.label[i] + k] += z[ld * i + k];
    for (int c = 0; c < classes; ++c)
        for (int k = 0; k < d; ++k) means[ld * c + k] /= std::max(of.count[c], 1);
    double* scatter = s.arena.zeros<double>(ld * d);
    double* block = s.arena.get<double>(static_cast<size_t>(d) * BLOCK);
    for (int first = 0; first < m; first += BLOCK) {
        const int count = std::min(BLOCK, m - first);
        for (int k = 0; k < d; ++k)
            for (int i = 0; i < BLOCK; ++i)
                block[k * BLOCK + i] =
                    i < count ? z[ld * (first + i) + k] - means[ld * of.label[first + i] + k] : 0.0;
        gemm_nt(block, BLOCK, block, BLOCK, scatter, ld, d, d, padded(count), true);
    }
    mirror(scatter, d, ld);
    const double shrinkage = std::min(0.5, std::max(1e-3, 0.5 * d / m));
    double trace = 0;
    for (int k = 0; k < d; ++k) trace += scatter[ld * k + k];
    for (size_t k = 0; k < ld * d; ++k) scatter[k] *= 1 - shrinkage;
    for (int k = 0; k < d; ++k) scatter[ld * k + k] += shrinkage * trace / d + 1e-9 * m;
    cholesky(scatter, d, ld);
    double* inverse = s.arena.zeros<double>(ld * d);
    inverse_factor(scatter, d, ld, inverse, ld);
    double *white = s.arena.zeros<double>(ld * m), *centres = s.arena.zeros<double>(ld * classes);
    gemm_nt(z, ld, inverse, ld, white, ld, m, d, static_cast<int>(ld));
    gemm_nt(means, ld, inverse, ld, centres, ld, classes, d, static_cast<int>(ld));
    const double scale = 0.5 * std::max(m - classes - 1, 1), floor = -std::log(static_cast<double>(m));
    double totals[5] = {}, squares[MOST_CLASSES], products[MOST_CLASSES], priors[MOST_CLASSES];
    for (int i = 0; i < m; ++i) {
        const int own = of.label[i], count = of.count[own];
        const double *w = white + ld * i, *centre = centres + ld * own;
        if (count < 2) {
            for (double& total : totals) total += floor;
            continue;
        }
        for (int c = 0; c < classes; ++c) {
            double square = 0, product = 0;
            for (int k = 0; k < d; ++k) {
                const double t = w[k] - centres[ld * c + k];
                square += t * t;
                product += t * (w[k] - centre[k]);
            }
            squares[c] = square;
            products[c] = product;
        }
        const double gain = count / (count - 1.0), lost = (1 - shrinkage) * gain;
        const double rest = std::max(1 - lost * squares[own], 1e-9), own_square = gain * gain * squares[own] / rest;
        for (int c = 0; c < classes; ++c) {
            squares[c] = c == own ? own_square : squares[c] + lost / rest * products[c] * products[c];
            priors[c] = std::log((of.count[c] - (c == own) + 0.5) / (m - 1 + 0.5 * classes));
        }
        for (int t = 0; t < 5; ++t) {
            double logits[MOST_CLASSES], greatest = -1e300, sum = 0;
            for (int c = 0; c < classes; ++c) {
                if (!of.count[c]) continue;
                logits[c] = priors[c] - TEMPERATURES[t] * scale * squares[c];
                greatest = std::max(greatest, logits[c]);
            }
            for (int c = 0; c < classes; ++c)
                if (of.count[c]) sum += std::exp(logits[c] - greatest);
            totals[t] += std::max(logits[own] - greatest - std::log(sum), floor);
        }
    }
    const double best = *std::max_element(totals, totals + 5) / m;
    return std::min(std::max(best + entropy, 0.0), entropy);
}

double nearest_of_class(Sample& s, const Labelled& of) {
    Arena::Scope scope(s.arena);
    int32_t* kept = s.arena.get<int32_t>(of.m);
    int m = 0;
    for (int i = 0; i < of.m; ++i)
        if (of.count[of.label[i]] > 1) kept[m++] = i;
    const int length = padded_floats(m);
    float* points = s.arena.get<float>(static_cast<size_t>(of.d) * length);
    for (int k = 0; k < of.d; ++k) {
        const int32_t* rank = s.column(of.from + k);
        float* row = points + static_cast<size_t>(k) * length;
        for (int i = 0; i < m; ++i) row[i] = static_cast<float>(s.score[rank[of.point[kept[i]]]]);
        for (int i = m; i < length; ++i) row[i] = FAR;
    }
    float* distances = s.arena.get<float>(length);
    double total = 0;
    int queries = 0;
    for (int i = 0; i < m && kept[i] < SUBSET; ++i) {
        const int own = of.label[kept[i]], count = of.count[own], k = std::min(NEIGHBOURS, count - 1);
        maximum_row(points, length, of.d, points + i, length, distances);
        float least[NEIGHBOURS + 1] = {};
        int have = 0;
        for (int j = 0; j < m; ++j) {
            const float v = distances[j];
            if (of.label[kept[j]] != own || (have == k + 1 && v >= least[k])) continue;
            int at = have < k + 1 ? have++ : k;
            for (; at && least[at - 1] > v; --at) least[at] = least[at - 1];
            least[at] = v;
        }
        const float radius = just_above(least[k] * (1 - TOLERANCE));
        int32_t inside;
        count_below<1>(distances, length, &radius, &inside);
        total += psi(k) - psi(count) - psi(std::max(inside, 1));
        ++queries;
    }
    return queries ? total / queries + psi(m) : 0.0;
}

// Classes are the columns class_from … class_to − 1, the block those from … to − 1.
Found one_side(Sample& s, int class_from, int class_to, int from, int to) {
    Found found;
    const int most = std::min(MOST_STATES, s.n / 4);
    if (most_distinct(s, class_from, class_to) > most) return found;
    Arena::Scope scope(s.arena);
    const States states = states_of_side(s, class_from, class_to);
    if (states.count < 2 || states.count > most) return found;
    const int m = std::min(s.n, MOST_POINTS);
    Labelled of{from, to - from, m, states.count, s.arena.get<int32_t>(m), s.arena.get<int32_t>(m),
                s.arena.zeros<int32_t>(states.count)};
    for (int i = 0; i < m; ++i) {
        of.point[i] = s.point(i);
        of.label[i] = states.codes[of.point[i]];
        ++of.count[of.label[i]];
    }
    found.entropy = entropies(states, s.n).miller_madow;
    found.few = states.count <= MOST_CLASSES;
    found.any = 1;
    if (found.few) found.linear = discriminant(s, of, found.entropy);
    found.near = std::min(std::max(nearest_of_class(s, of), 0.0), found.entropy);
    return found;
}

}  // namespace

void classes(Sample& s) {
    const Found x = one_side(s, 0, s.dx, s.dx, s.d), y = one_side(s, s.dx, s.d, 0, s.dx);
    s.both_sides(x.linear, y.linear);
    s.both_sides(x.near, y.near);
    s.both_sides(x.entropy, y.entropy);
    s.put(std::max(x.few, y.few));
    s.put(std::max(x.any, y.any));
}

}  // namespace mistworks
