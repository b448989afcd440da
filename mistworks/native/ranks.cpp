// Half ranks by a radix sort of the values' bits.
#include "ranks.h"

#include <cstring>
#include <memory>

#include "radix.h"
#include "simd.h"

namespace mistworks {
namespace {

// Unsigned numbers in the order of the values.
MISTWORKS_INLINE uint64_t ordered(double v) {
    uint64_t bits;
    std::memcpy(&bits, &v, 8);
    if (bits == uint64_t(1) << 63) bits = 0;
    return bits >> 63 ? ~bits : bits | uint64_t(1) << 63;
}
MISTWORKS_INLINE uint64_t ordered(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    if (bits == 0x80000000u) bits = 0;
    return static_cast<uint64_t>(bits >> 31 ? ~bits : bits | 0x80000000u) << 32;
}
MISTWORKS_INLINE uint64_t ordered(int64_t v) { return static_cast<uint64_t>(v) ^ uint64_t(1) << 63; }
MISTWORKS_INLINE uint64_t ordered(uint64_t v) { return v; }

template <class Value> void all_columns(const Value* values, int n, int columns, int32_t* out) {
    const size_t size = n;
    std::unique_ptr<uint64_t[]> keys(new uint64_t[size]);
    std::unique_ptr<uint32_t[]> rows(new uint32_t[size]);
    std::unique_ptr<Entry[]> scratch(new Entry[2 * size]);
    for (int j = 0; j < columns; ++j) {
        const Value* column = values + j * size;
        int32_t* rank = out + j * size;
        for (size_t i = 0; i < size; ++i) {
            keys[i] = ordered(column[i]);
            rows[i] = static_cast<uint32_t>(i);
        }
        sort_rows(keys.get(), rows.get(), size, scratch.get());
        for (size_t i = 0; i < size;) {
            size_t end = i + 1;
            while (end < size && keys[rows[end]] == keys[rows[i]]) ++end;
            for (size_t k = i; k < end; ++k) rank[rows[k]] = static_cast<int32_t>(i + end - 1);
            i = end;
        }
    }
}

}  // namespace

void half_ranks(const double* values, int n, int columns, int32_t* out) { all_columns(values, n, columns, out); }
void half_ranks(const float* values, int n, int columns, int32_t* out) { all_columns(values, n, columns, out); }
void half_ranks(const int64_t* values, int n, int columns, int32_t* out) { all_columns(values, n, columns, out); }
void half_ranks(const uint64_t* values, int n, int columns, int32_t* out) { all_columns(values, n, columns, out); }

}  // namespace mistworks
