// Hashes of ranks, the same numbers as `mistworks.statistics.sample.hashed`.
#pragma once
#include <cstdint>

#include "simd.h"

namespace mistworks {

// Finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
MISTWORKS_INLINE uint64_t hashed(uint64_t v) {
    v += 0x9E3779B97F4A7C15ull;
    v = (v ^ (v >> 30)) * 0xBF58476D1CE4E5B9ull;
    v = (v ^ (v >> 27)) * 0x94D049BB133111EBull;
    return v ^ (v >> 31);
}

}  // namespace mistworks
