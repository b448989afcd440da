// States, entropies and chance: see states.h.
#include "states.h"

#include <cmath>

#include "hash.h"

namespace mistworks {
namespace {

// Cells with more points than this in the mean: the moments say enough of them.
constexpr double MANY = 40.0;
// Cells of different counts; with more of them counts are rounded.
constexpr int64_t MOST_CELLS = 10000;

// Numbers equal keys; codes[i] of n keys and counts of each, in the order of first appearance.
int numbered(Arena& arena, const uint64_t* keys, int n, int32_t* codes, int32_t* counts) {
    Arena::Scope scope(arena);
    size_t size = 16;
    while (size < 2 * static_cast<size_t>(n)) size *= 2;
    int32_t* slots = arena.get<int32_t>(size);
    std::fill(slots, slots + size, -1);
    uint64_t* known = arena.get<uint64_t>(n);
    int count = 0;
    for (int i = 0; i < n; ++i) {
        __builtin_prefetch(slots + (keys[std::min(i + AHEAD, n - 1)] & (size - 1)));
        size_t slot = keys[i] & (size - 1);
        while (slots[slot] >= 0 && known[slots[slot]] != keys[i]) slot = (slot + 1) & (size - 1);
        int32_t& code = slots[slot];
        if (code < 0) {
            code = count;
            known[count] = keys[i];
            counts[count++] = 0;
        }
        ++counts[code];
        if (codes) codes[i] = code;
    }
    return count;
}

// E[(N/n) log(n N / (a b))], N hypergeometric.
double cell(int a, int b, int n) {
    const double mean = static_cast<double>(a) * b / n, p = static_cast<double>(a) / n, q = static_cast<double>(b) / n;
    if (mean > MANY) {
        const double variance = mean * (1 - p) * (1 - q) * n / std::max(n - 1, 1);
        const double skew = variance * (1 - 2 * p) * (1 - 2 * q), fourth = 3 * variance * variance;
        return (variance / (2 * mean) - skew / (6 * mean * mean) + fourth / (12 * mean * mean * mean)) / n;
    }
    const int first = std::max(1, a + b - n);
    const int last = std::min({a, b, static_cast<int>(mean + 12 * std::sqrt(mean) + 20)});
    if (last < first) return 0;
    auto log_factorial = [](int k) { return std::lgamma(k + 1.0); };
    double probability = std::exp(log_factorial(a) + log_factorial(b) + log_factorial(n - a) + log_factorial(n - b) -
                                  log_factorial(n) - log_factorial(first) - log_factorial(a - first) -
                                  log_factorial(b - first) - log_factorial(n - a - b + first));
    double total = 0;
    for (int k = first; k <= last; ++k) {
        total += probability * k * std::log(k / mean);
        probability *= static_cast<double>(a - k) * (b - k) / ((k + 1.0) * (static_cast<double>(n) - a - b + k + 1));
    }
    return total / n;
}

int binary_digits(int32_t value) {
    int digits = 0;
    while (value >> digits) ++digits;
    return digits;
}

// Consecutive numbers of rounded counts.
int place(int32_t count) {
    const int digits = std::max(binary_digits(count) - 6, 0);
    return 32 * digits + (count >> digits);
}

}  // namespace

Distinct rounded(Sample& s, const Distinct& given) {
    Distinct made{s.arena.get<int32_t>(given.size), s.arena.get<int32_t>(given.size), 0};
    for (int i = 0; i < given.size; ++i) {
        const int32_t value = given.value[i];
        const int32_t step = int32_t(1) << std::max(binary_digits(value) - 6, 0);
        const int32_t near = std::min((value + step / 2) / step * step, s.n - 1);
        if (made.size && made.value[made.size - 1] == near) {
            made.times[made.size - 1] += given.times[i];
        } else {
            made.value[made.size] = near;
            made.times[made.size++] = given.times[i];
        }
    }
    return made;
}

Cells::Cells(Sample& s) : side(place(2 * s.n) + 1), of(s.arena.get<double>(static_cast<size_t>(side) * side)) {
    std::fill(of, of + static_cast<size_t>(side) * side, -1e300);
}

int distinct_values(const Sample& s, int j) {
    return static_cast<int>(std::lround((1.0 - s.tied_shares[j]) * s.n));
}

int most_distinct(const Sample& s, int from, int to) {
    int most = 1;
    for (int j = from; j < to; ++j) most = std::max(most, distinct_values(s, j));
    return most;
}

States states_of_column(Sample& s, const int32_t* half_ranks) {
    const int n = s.n;
    States states{s.arena.get<int32_t>(n), s.arena.get<int32_t>(n), 0};
    Arena::Scope scope(s.arena);
    int32_t* code = s.arena.zeros<int32_t>(2 * static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) ++code[half_ranks[i]];
    for (int h = 0; h < 2 * n; ++h)
        if (code[h]) {
            states.counts[states.count] = code[h];
            code[h] = states.count++;
        }
    for (int i = 0; i < n; ++i) states.codes[i] = code[half_ranks[i]];
    return states;
}

States states_of_side(Sample& s, int from, int to) {
    if (to - from == 1) return states_of_column(s, s.exact_column(from));
    const int n = s.n;
    States states{s.arena.get<int32_t>(n), s.arena.get<int32_t>(n), 0};
    Arena::Scope scope(s.arena);
    uint64_t* keys = s.arena.zeros<uint64_t>(n);
    for (int j = from; j < to; ++j) {
        const int32_t* h = s.exact_column(j);
        const uint64_t offset = static_cast<uint64_t>(j - from) * 2 * n;
        for (int i = 0; i < n; ++i) keys[i] += hashed(h[i] + offset);
    }
    states.count = numbered(s.arena, keys, n, states.codes, states.counts);
    return states;
}

States joint_states(Sample& s, const States& x, const States& y) {
    States states{nullptr, s.arena.get<int32_t>(s.n), 0};
    Arena::Scope scope(s.arena);
    uint64_t* keys = s.arena.get<uint64_t>(s.n);
    for (int i = 0; i < s.n; ++i)
        keys[i] = hashed(static_cast<uint64_t>(x.codes[i]) << 32 | static_cast<uint32_t>(y.codes[i]));
    states.count = numbered(s.arena, keys, s.n, nullptr, states.counts);
    return states;
}

Entropies entropies(const States& states, int n) {
    double plain = 0;
    int alone = 0;
    for (int k = 0; k < states.count; ++k) {
        const double share = static_cast<double>(states.counts[k]) / n;
        plain -= share * std::log(share);
        alone += states.counts[k] == 1;
    }
    const double coverage = 1 - static_cast<double>(std::min(alone, n - 1)) / n;
    double covered = 0;
    for (int k = 0; k < states.count; ++k) {
        const double seen = coverage * states.counts[k] / n;
        covered += seen * std::log(seen) / std::expm1(n * std::log1p(-std::min(seen, 1 - 1e-12)));
    }
    return {plain, plain + (states.count - 1) / (2.0 * n), covered};
}

Distinct distinct_counts(Sample& s, const States& states) {
    Distinct made{s.arena.get<int32_t>(states.count), s.arena.get<int32_t>(states.count), 0};
    Arena::Scope scope(s.arena);
    int32_t* sorted = s.arena.get<int32_t>(states.count);
    std::copy(states.counts, states.counts + states.count, sorted);
    std::sort(sorted, sorted + states.count);
    for (int k = 0; k < states.count; ++k) {
        if (made.size && made.value[made.size - 1] == sorted[k]) {
            ++made.times[made.size - 1];
        } else {
            made.value[made.size] = sorted[k];
            made.times[made.size++] = 1;
        }
    }
    return made;
}

double permuted_mi(Sample& s, Distinct x, Distinct y, Cells* cells) {
    Arena::Scope scope(s.arena);
    if (!cells && static_cast<int64_t>(x.size) * y.size > MOST_CELLS) {
        x = rounded(s, x);
        y = rounded(s, y);
    }
    auto chance = [&](int a, int b) {
        if (!cells) return cell(a, b, s.n);
        double& known = cells->of[place(a) * cells->side + place(b)];
        if (known == -1e300) known = cell(a, b, s.n);
        return known;
    };
    double total = 0;
    for (int i = 0; i < x.size; ++i)
        for (int j = 0; j < y.size; ++j)
            total += static_cast<double>(x.times[i]) * y.times[j] * chance(x.value[i], y.value[j]);
    return std::max(total, 0.0);
}

}  // namespace mistworks
