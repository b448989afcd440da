// Sorting of rows by 64-bit keys.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mistworks {

// Half of a key and the row that it belongs to.
struct Entry {
    uint32_t key, row;
};

// Sorts `rows` by keys[row]; rows of equal keys stay in their order, which has to be ascending. `scratch` has room for
// 2 n entries.
void sort_rows(const uint64_t* keys, uint32_t* rows, size_t n, Entry* scratch);

}  // namespace mistworks
