// Vectors of the width that the build is for, by the vector extensions of GCC and Clang.
//
// Wider vectors than the target has are lowered to slow code without a word (64 bytes on AVX2: 15 times
// slower), so the width follows the target. Loops take whole vectors and their rows are padded for it.
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define MISTWORKS_VECTOR 64
#elif defined(__AVX__)
#define MISTWORKS_VECTOR 32
#else
#define MISTWORKS_VECTOR 16
#endif
#define MISTWORKS_INLINE static inline __attribute__((always_inline))

namespace mistworks {

typedef double Doubles __attribute__((vector_size(MISTWORKS_VECTOR)));
typedef float Floats __attribute__((vector_size(MISTWORKS_VECTOR)));
typedef int32_t Ints __attribute__((vector_size(MISTWORKS_VECTOR)));
typedef int64_t Longs __attribute__((vector_size(MISTWORKS_VECTOR)));
// The same at any address of an element.
typedef double LooseDoubles __attribute__((vector_size(MISTWORKS_VECTOR), aligned(8), may_alias));
typedef float LooseFloats __attribute__((vector_size(MISTWORKS_VECTOR), aligned(4), may_alias));

constexpr int DOUBLES = MISTWORKS_VECTOR / 8;
constexpr int FLOATS = MISTWORKS_VECTOR / 4;
// Vectors of float32 that make 16 lanes.
constexpr int PER_16 = 16 / FLOATS;

MISTWORKS_INLINE Doubles load(const double* from) { return *reinterpret_cast<const LooseDoubles*>(from); }
MISTWORKS_INLINE Floats load(const float* from) { return *reinterpret_cast<const LooseFloats*>(from); }
MISTWORKS_INLINE void store(double* to, Doubles v) { *reinterpret_cast<LooseDoubles*>(to) = v; }
MISTWORKS_INLINE void store(float* to, Floats v) { *reinterpret_cast<LooseFloats*>(to) = v; }
MISTWORKS_INLINE double sum(Doubles v) {
    double total = 0;
    for (int i = 0; i < DOUBLES; ++i) total += v[i];
    return total;
}
MISTWORKS_INLINE Floats absolute(Floats v) { return (Floats)((Ints)v & 0x7fffffff); }
// One instruction each, which GCC does not make of a choice between two vectors.
#if defined(__AVX512F__)
MISTWORKS_INLINE Floats greater(Floats a, Floats b) { return _mm512_max_ps(a, b); }
MISTWORKS_INLINE Floats lesser(Floats a, Floats b) { return _mm512_min_ps(a, b); }
#elif defined(__AVX__)
MISTWORKS_INLINE Floats greater(Floats a, Floats b) { return _mm256_max_ps(a, b); }
MISTWORKS_INLINE Floats lesser(Floats a, Floats b) { return _mm256_min_ps(a, b); }
#elif defined(__SSE2__)
MISTWORKS_INLINE Floats greater(Floats a, Floats b) { return _mm_max_ps(a, b); }
MISTWORKS_INLINE Floats lesser(Floats a, Floats b) { return _mm_min_ps(a, b); }
#else
MISTWORKS_INLINE Floats greater(Floats a, Floats b) { return a > b ? a : b; }
MISTWORKS_INLINE Floats lesser(Floats a, Floats b) { return a < b ? a : b; }
#endif

// Lengths of padded rows: whole blocks of 8 doubles, or of 64 floats.
constexpr int padded(int count) { return (count + 7) & ~7; }
constexpr int padded_floats(int count) { return (count + 63) & ~63; }

}  // namespace mistworks
