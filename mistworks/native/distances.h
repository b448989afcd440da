// Rows of distances from one point to all, in single precision: nearest neighbours and counts within radii.
//
// A row has `m` values and is padded to a multiple of 64 (`padded_floats`) with points that are far from all, FAR.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "simd.h"

namespace mistworks {

// Coordinate of padding points; its square is finite.
constexpr float FAR = 1e15f;
// Relative; what rounding may part, and far less than what tells neighbours apart.
constexpr float TOLERANCE = 1e-6f;
// Least squared distance.
constexpr float TINY = 1e-9f;

// Maximum norm between the centre and m points: `points` has `dims` rows of `length` (padded) values; the centre's
// coordinates are `stride` apart.
MISTWORKS_INLINE void maximum_row(const float* points, int length, int dims, const float* centre, size_t stride,
                                  float* out) {
    for (int j = 0; j < length; j += 4 * FLOATS) {
        Floats most[4] = {Floats{}, Floats{}, Floats{}, Floats{}};
        for (int k = 0; k < dims; ++k) {
            const float* row = points + static_cast<size_t>(k) * length + j;
            const float c = centre[k * stride];
            for (int v = 0; v < 4; ++v) most[v] = greater(most[v], absolute(load(row + FLOATS * v) - c));
        }
        for (int v = 0; v < 4; ++v) store(out + j + FLOATS * v, most[v]);
    }
}

// Squared norms of the points, for `square_row`.
MISTWORKS_INLINE void norm_row(const double* points, int length, int dims, double* norms) {
    for (int j = 0; j < length; ++j) norms[j] = 0;
    for (int k = 0; k < dims; ++k)
        for (int j = 0; j < length; ++j) {
            const double v = points[static_cast<size_t>(k) * length + j];
            norms[j] += v * v;
        }
}

// Points whose distances are made together: their rows share what is loaded.
constexpr int TOGETHER = 4;

// Squared Euclidean distances from points i, i + 1, … to all, ‖a‖² + ‖b‖² − 2 a·b in double precision, at least 0:
// TOGETHER rows of `length`, of which those beyond point `last` repeat it.
MISTWORKS_INLINE void square_rows(const double* points, const double* norms, int length, int dims, int i, int last,
                                  float* out) {
    int centres[TOGETHER];
    for (int r = 0; r < TOGETHER; ++r) centres[r] = i + r < last ? i + r : last;
    for (int j = 0; j < length; j += 2 * DOUBLES) {
        Doubles total[TOGETHER][2];
        for (int r = 0; r < TOGETHER; ++r)
            for (int v = 0; v < 2; ++v) total[r][v] = load(norms + j + DOUBLES * v) + norms[centres[r]];
        for (int k = 0; k < dims; ++k) {
            const double* row = points + static_cast<size_t>(k) * length;
            const Doubles low = load(row + j), high = load(row + j + DOUBLES);
            for (int r = 0; r < TOGETHER; ++r) {
                const double c = -2 * row[centres[r]];
                total[r][0] += c * low;
                total[r][1] += c * high;
            }
        }
        for (int r = 0; r < TOGETHER; ++r) {
            float single[2 * DOUBLES];
            for (int v = 0; v < 2; ++v)
                for (int t = 0; t < DOUBLES; ++t) single[DOUBLES * v + t] = static_cast<float>(total[r][v][t]);
            store(out + static_cast<size_t>(r) * length + j, greater(load(single), Floats{}));
        }
    }
}

MISTWORKS_INLINE void greater_row(const float* a, const float* b, int length, float* out) {
    for (int j = 0; j < length; j += FLOATS) store(out + j, greater(load(a + j), load(b + j)));
}

// Positions of all values up to a bound; returns how many. `found` has room for length + 16.
MISTWORKS_INLINE int up_to(const float* row, int length, int m, float bound, uint16_t* found) {
    int count = 0;
#ifdef __AVX512BW__
    const __m512 bounds = _mm512_set1_ps(bound);
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (int j = 0; j < length; j += 16) {
        const __mmask16 near = _mm512_cmp_ps_mask(_mm512_loadu_ps(row + j), bounds, _CMP_LE_OQ);
        const __m512i packed = _mm512_maskz_compress_epi32(near, _mm512_add_epi32(steps, _mm512_set1_epi32(j)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(found + count), _mm512_cvtepi32_epi16(packed));
        count += __builtin_popcount(near);
    }
    while (count && found[count - 1] >= m) --count;
#else
    for (int j = 0; j < m; ++j) {
        found[count] = static_cast<uint16_t>(j);
        count += row[j] <= bound;
    }
#endif
    return count;
}

// Vectors of a number, and of the whole numbers that comparing them gives.
template <class Number> struct Vectors;
template <> struct Vectors<float> {
    typedef Floats Values;
    typedef Ints Counts;
};
template <> struct Vectors<double> {
    typedef Doubles Values;
    typedef Longs Counts;
};

// The (places[k]+1)-th least of `count` values for each of K places, by counting for each value how many do not exceed
// it: no branch of it is guessed. `values` are padded with FAR to SIZE, a multiple of 16.
template <int SIZE, int K, class Number>
MISTWORKS_INLINE void least_by_counting(const Number* values, int count, const int* places, Number* least) {
    typedef typename Vectors<Number>::Values Values;
    typedef typename Vectors<Number>::Counts Counts;
    constexpr int WIDTH = MISTWORKS_VECTOR / sizeof(Number), PARTS = SIZE / WIDTH;
    Values own[PARTS];
    Counts below[PARTS];
    for (int p = 0; p < PARTS; ++p) {
        own[p] = load(values + WIDTH * p);
        below[p] = Counts{};
    }
    for (int i = 0; i < count; ++i)
        for (int p = 0; p < PARTS; ++p) below[p] -= (Counts)(values[i] <= own[p]);
    const Values far = Values{} + Number(FAR);
    for (int k = 0; k < K; ++k) {
        Values chosen = far;
        for (int p = 0; p < PARTS; ++p) {
            const Values v = below[p] > places[k] ? own[p] : far;
            chosen = v < chosen ? v : chosen;
        }
        Number lanes[WIDTH];
        store(lanes, chosen);
        for (int width = WIDTH / 2; width; width /= 2)
            for (int l = 0; l < width; ++l) lanes[l] = lanes[l + width] < lanes[l] ? lanes[l + width] : lanes[l];
        least[k] = lanes[0];
    }
}

// The (k+1)-th least of 16 lanes, k ≤ 15.
MISTWORKS_INLINE float least_of_lanes(const Floats* lanes, int k) {
    float values[16], least;
    for (int l = 0; l < PER_16; ++l) store(values + FLOATS * l, lanes[l]);
    const int place = k < 15 ? k : 15;
    least_by_counting<16, 1>(values, 16, &place, &least);
    return least;
}

// Positions of all values up to `slack` times the (k+1)-th least, k ≤ 15, and some more; returns how many. `found` has
// room for length + 16.
MISTWORKS_INLINE int candidates(const float* row, int length, int m, int k, float slack, uint16_t* found) {
    // The (k+1)-th least of 16 lanes' least values is at least that of the row.
    Floats lanes[PER_16];
    for (int l = 0; l < PER_16; ++l) lanes[l] = load(row + FLOATS * l);
    for (int j = 16; j < length; j += 16)
        for (int l = 0; l < PER_16; ++l) lanes[l] = lesser(load(row + j + FLOATS * l), lanes[l]);
    return up_to(row, length, m, least_of_lanes(lanes, k) * slack, found);
}

// The `keep` least of the values at those positions, ascending.
MISTWORKS_INLINE void least_of_row(const float* row, const uint16_t* positions, int count, int keep, float* least) {
    int have = 0;
    for (int i = 0; i < count; ++i) {
        const float v = row[positions[i]];
        if (have == keep && v >= least[keep - 1]) continue;
        int j = have < keep ? have++ : keep - 1;
        for (; j && least[j - 1] > v; --j) least[j] = least[j - 1];
        least[j] = v;
    }
}

// Up to so many values are ordered by counting.
constexpr int COUNTED = 32;

// The (places[k]+1)-th least of the values at those positions for each of K places in ascending order.
template <int K>
MISTWORKS_INLINE void least_at(const float* row, const uint16_t* positions, int count, const int* places, float* least) {
    if (count > COUNTED) {
        float ascending[COUNTED];
        least_of_row(row, positions, count, places[K - 1] + 1, ascending);
        for (int k = 0; k < K; ++k) least[k] = ascending[places[k]];
        return;
    }
    float values[COUNTED];
    for (float& value : values) value = FAR;
    for (int i = 0; i < count; ++i) values[i] = row[positions[i]];
    if (count <= COUNTED / 2)
        least_by_counting<COUNTED / 2, K>(values, count, places, least);
    else
        least_by_counting<COUNTED, K>(values, count, places, least);
}

// How many values of the row are below each of K radii; padding is beyond all of them.
template <int K>
MISTWORKS_INLINE void count_below(const float* row, int length, const float* radii, int32_t* counts) {
    Ints total[K];
    for (int k = 0; k < K; ++k) total[k] = Ints{};
    for (int j = 0; j < length; j += FLOATS) {
        const Floats v = load(row + j);
        for (int k = 0; k < K; ++k) total[k] -= (Ints)(v < radii[k]);
    }
    for (int k = 0; k < K; ++k) {
        counts[k] = 0;
        for (int i = 0; i < FLOATS; ++i) counts[k] += total[k][i];
    }
}

// For counts of values up to r rather than below it.
MISTWORKS_INLINE float just_above(float r) { return std::nextafter(r, 3e38f); }

}  // namespace mistworks
