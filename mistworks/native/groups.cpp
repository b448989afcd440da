// The table of groups, and all statistics of one sample.
#include "groups.h"

#include <cstring>
#include <stdexcept>

namespace mistworks {

const Group GROUPS[] = {
    {"sizes", "sizes", 10, sizes},
    {"ties", "ties", 4, ties},
    {"discrete", "discrete", 27, discrete},
    {"pairs", "pairs", 15, pairs},
    {"gaussian", "shrunk", 12, shrunk},
    {"gaussian", "spectra", 11, spectra},
    {"gaussian", "correlations", 15, correlations},
    {"gaussian", "canonical", 27, canonical},
    {"sparse", "matched", 14, matched},
    {"sparse", "thresholded", 3, thresholded},
    {"rotations", "rotated", 11, rotated},
    {"factors", "factor_models", 3, factor_models},
    {"tails", "t_copula", 10, t_copula},
    {"tails", "radii", 3, radii},
    {"tails", "squares", 6, squares},
    {"polynomials", "polynomials", 37, polynomials},
    {"neighbours", "nearest", 5, nearest},
    {"metric", "metric", 21, metric},
    {"local", "corrected", 5, corrected},
    {"local", "monotone", 7, monotone},
    {"local", "unshrunk", 3, unshrunk},
    {"planes", "planes", 9, planes},
    {"classes", "classes", 8, classes},
};
const int GROUP_COUNT = sizeof GROUPS / sizeof *GROUPS;

int statistic_count() {
    int count = 0;
    for (const Group& group : GROUPS) count += group.count;
    return count;
}

namespace {

// Memory that a thread keeps between samples.
constexpr size_t KEPT = size_t(64) << 20;
thread_local Arena arena;

// 0 for NaN, ±1000 for what is infinite.
float finite(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    if ((bits & 0x7f800000) != 0x7f800000) return v;
    if (bits & 0x7fffff) return 0.0f;
    return bits >> 31 ? -1e3f : 1e3f;
}

struct Kept {
    ~Kept() { arena.keep(KEPT); }
};

}  // namespace

void summarise(const int32_t* half_ranks, int n, int dx, int d, float* out) {
    Kept kept;
    Arena::Scope scope(arena);
    Sample sample{arena};
    sample.n = n;
    sample.dx = dx;
    sample.dy = d - dx;
    sample.d = d;
    sample.exact = half_ranks;
    sample.out = out;
    sample.at = 0;
    prepare(sample);
    int expected = 0;
    for (const Group& group : GROUPS) {
        Arena::Scope group_scope(arena);
        group.append(sample);
        expected += group.count;
        if (sample.at != expected) throw std::logic_error(group.statistic);
    }
    for (int i = 0; i < expected; ++i) out[i] = finite(out[i]);
}

void untied(const int32_t* half_ranks, int n, int dx, int d, int32_t* out) {
    Kept kept;
    Arena::Scope scope(arena);
    Sample sample{arena};
    sample.n = n;
    sample.dx = dx;
    sample.dy = d - dx;
    sample.d = d;
    sample.exact = half_ranks;
    prepare_ranks(sample);
    for (int j = 0; j < d; ++j)
        for (int i = 0; i < n; ++i) out[static_cast<size_t>(j) * n + i] = 2 * sample.column(j)[i];
}

}  // namespace mistworks
