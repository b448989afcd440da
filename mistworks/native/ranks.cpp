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
MISTWORKS_INLINE uint32_t ordered(float v) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    if (bits == 0x80000000u) bits = 0;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}
MISTWORKS_INLINE uint64_t ordered(int64_t v) { return static_cast<uint64_t>(v) ^ uint64_t(1) << 63; }
MISTWORKS_INLINE uint64_t ordered(uint64_t v) { return v; }

template <class Value> void all_columns(const Value* values, int n, int columns, int32_t* out) {
    typedef decltype(ordered(Value())) Key;
    std::unique_ptr<Entry<Key>[]> memory(new Entry<Key>[2 * static_cast<size_t>(n)]);
    for (int j = 0; j < columns; ++j) {
        const Value* column = values + static_cast<size_t>(j) * n;
        int32_t* rank = out + static_cast<size_t>(j) * n;
        Entry<Key>* entries = memory.get();
        for (int i = 0; i < n; ++i) entries[i] = {ordered(column[i]), static_cast<uint32_t>(i)};
        entries = radix_sorted(entries, entries + n, n);
        for (int i = 0; i < n;) {
            int end = i + 1;
            while (end < n && entries[end].key == entries[i].key) ++end;
            for (int k = i; k < end; ++k) rank[entries[k].row] = i + end - 1;
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
