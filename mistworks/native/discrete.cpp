// Sides of few states; formulas as in mistworks/statistics/discrete.py. Where a side has fewer than n/2 states:
//   entropies by plug-in, Miller and Madow (1955), Chao and Shen (2003), and MI = H(X) + H(Y) − H(X,Y) by each;
//   MI less chance: (Î − E) / (m − E) times the lesser entropy, E under random pairing (Vinh, Epps, Bailey 2010);
//   the cap: an entropy and its error that bound the MI.
#include <cmath>

#include "groups.h"
#include "states.h"

namespace mistworks {
namespace {

constexpr int COUNT = 27;
constexpr double LEVEL = 1.6448536269514722;  // Φ⁻¹(.95)
constexpr double UNSEEN = 1.6;

struct Side {
    States states;
    Entropies entropy;
    Distinct distinct;
    int alone() const { return distinct.size && distinct.value[0] == 1 ? distinct.times[0] : 0; }
};

double binary(double p) {
    const double q = 1 - p;
    return -p * std::log(std::max(p, 1e-300)) - q * std::log(std::max(q, 1e-300));
}

// Limits of a Poisson mean (Wilson, Hilferty 1931).
double upper(double count) {
    const double c = count + 1, root = 1 - 1 / (9 * c) + LEVEL / (3 * std::sqrt(c));
    return c * root * root * root;
}
double lower(double count) {
    const double c = std::max(count, 1e-9), root = std::max(1 - 1 / (9 * c) - LEVEL / (3 * std::sqrt(c)), 0.0);
    return c * root * root * root;
}

// How much the entropy grows where a count moves and the others stay.
double rise(double count, double moved, int n, double entropy) {
    const double share = count / n, changed = moved / (n - count + moved);
    const double others = (entropy - binary(share)) / std::max(1 - share, 1e-12);
    return std::max(binary(changed) + (1 - changed) * others - entropy, 0.0);
}

struct Cap {
    double entropy, error;
};

Cap cap_of(const Side& side, int n) {
    const double plain = side.entropy.plug_in;
    double variance = 0;
    for (int k = 0; k < side.distinct.size; ++k) {
        const double count = side.distinct.value[k];
        const double most = std::max(rise(count, upper(count), n, plain), rise(count, lower(count), n, plain));
        variance += side.distinct.times[k] * most * most;
    }
    const int alone = side.alone();
    const double missing = rise(0, alone ? upper(alone) : 1.0, n, plain), unseen = UNSEEN * alone / n;
    variance += missing * missing;
    const double spread = (side.states.count - 1) / (2.0 * n * n) + unseen * unseen;
    return {std::max(side.entropy.miller_madow, side.entropy.chao_shen), std::sqrt(variance / (LEVEL * LEVEL) + spread)};
}

Side side_of(Sample& s, int from, int to) {
    Side side;
    side.states = states_of_side(s, from, to);
    return side;
}

double within(double v, double most) { return std::min(std::max(v, 0.0), most); }

void put(Sample& s, Side& x, Side& y) {
    const int n = s.n, kx = x.states.count, ky = y.states.count;
    Side joint;
    joint.states = joint_states(s, x.states, y.states);
    for (Side* side : {&x, &y, &joint}) {
        side->entropy = entropies(side->states, n);
        side->distinct = distinct_counts(s, side->states);
    }
    const Entropies &a = x.entropy, &b = y.entropy, &both = joint.entropy;
    const double log_n = std::log(static_cast<double>(n));
    s.put(1 - std::log(static_cast<double>(std::min(kx, ky))) / log_n);
    s.put(1 - std::log(static_cast<double>(std::max(kx, ky))) / log_n);
    s.put(1 - std::log(static_cast<double>(joint.states.count)) / log_n);
    s.put(std::max(a.plug_in, b.plug_in));
    s.put(std::max(a.miller_madow, b.miller_madow));
    s.put(std::max(a.chao_shen, b.chao_shen));
    const Entropies least{std::min(a.plug_in, b.plug_in), std::min(a.miller_madow, b.miller_madow),
                          std::min(a.chao_shen, b.chao_shen)};
    for (double v : {least.plug_in, least.miller_madow, least.chao_shen}) s.put(v);
    for (double v : {both.plug_in, both.miller_madow, both.chao_shen}) s.put(v);
    const double plain = a.plug_in + b.plug_in - both.plug_in;
    s.put(within(plain, least.plug_in));
    s.put(within(a.miller_madow + b.miller_madow - both.miller_madow, least.miller_madow));
    s.put(within(a.chao_shen + b.chao_shen - both.chao_shen, least.chao_shen));
    const double chance = permuted_mi(s, x.distinct, y.distinct);
    s.put(within((plain - chance) * least.miller_madow / headroom(least.plug_in, chance), least.miller_madow));
    s.put(least.miller_madow);
    s.put(least.chao_shen);
    s.both_sides(static_cast<double>(x.alone()) / n, static_cast<double>(y.alone()) / n);
    s.put(static_cast<double>(joint.alone()) / n);
    Cap cap{0, 1e300};
    for (const Side* side : {&x, &y}) {
        if (2 * static_cast<int64_t>(side->states.count) >= n) continue;
        const Cap own = cap_of(*side, n);
        if (own.entropy + LEVEL * own.error < cap.entropy + LEVEL * cap.error) cap = own;
    }
    s.put(cap.entropy);
    s.put(cap.error);
    s.put(1.0);
    s.put(static_cast<double>(joint.states.count - kx - ky + 1) / n);
    s.put(std::log(n / (static_cast<double>(kx) * ky)));
    s.put(chance);
}

}  // namespace

void discrete(Sample& s) {
    const int half = (s.n + 1) / 2;
    // A side has at least as many states as any of its columns.
    const bool x_may = most_distinct(s, 0, s.dx) < half, y_may = most_distinct(s, s.dx, s.d) < half;
    if (x_may || y_may) {
        Side x, y;
        if (x_may) x = side_of(s, 0, s.dx);
        if (y_may) y = side_of(s, s.dx, s.d);
        const bool x_few = x_may && x.states.count < half, y_few = y_may && y.states.count < half;
        if (x_few || y_few) {
            if (!x_may) x = side_of(s, 0, s.dx);
            if (!y_may) y = side_of(s, s.dx, s.d);
            put(s, x, y);
            return;
        }
    }
    for (int i = 0; i < COUNT; ++i) s.put(0.0);
}

}  // namespace mistworks
