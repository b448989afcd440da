// Points of one column of X and one of Y, in the order of x: neighbours and counts without all distances.
#pragma once
#include "sample.h"

namespace mistworks {

// Normal scores in single precision held in double, so that differences are exact. Of all points of a sample every
// sorted column is the same.
struct Plane {
    int m;
    const double *x, *y, *sorted_y;
};

// The first min(n, most) points of columns i of X and j of Y.
Plane plane_of(Sample& s, int i, int j, int most);

// How many of the sorted values are below `bound`, or with `UP` not above it; without branches that are guessed.
template <bool UP> inline int rank_of(const double* sorted, int m, double bound) {
    const double* from = sorted;
    int length = m;
    while (length > 1) {
        const int half = length / 2;
        from += half * static_cast<int>(UP ? from[half - 1] <= bound : from[half - 1] < bound);
        length -= half;
    }
    return static_cast<int>(from - sorted) + (UP ? *from <= bound : *from < bound);
}

// Sorted values within a radius of the centre or on it, the centre's own among them; at least 1.
inline int within(const double* sorted, int m, double centre, double radius) {
    return std::max(rank_of<true>(sorted, m, centre + radius) - rank_of<false>(sorted, m, centre - radius), 1);
}

}  // namespace mistworks
