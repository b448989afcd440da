// Radix sort of unsigned keys with the row that each belongs to: stable, least significant digit first, 8 bits at a
// time; digits that all keys share are left out.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

namespace mistworks {

template <class Key> struct Entry {
    Key key;
    uint32_t row;
};

// Sorts `a`, with `b` of the same length for scratch; returns which of them holds the result.
template <class Key> Entry<Key>* radix_sorted(Entry<Key>* a, Entry<Key>* b, int n) {
    constexpr int DIGITS = sizeof(Key), FEW = 200;
    if (n <= FEW) {
        std::sort(a, a + n, [](const Entry<Key>& x, const Entry<Key>& y) {
            return x.key < y.key || (x.key == y.key && x.row < y.row);
        });
        return a;
    }
    uint32_t counts[DIGITS][256] = {};
    for (int i = 0; i < n; ++i)
        for (int k = 0; k < DIGITS; ++k) ++counts[k][a[i].key >> (8 * k) & 255];
    for (int k = 0; k < DIGITS; ++k) {
        uint32_t* places = counts[k];
        if (places[a[0].key >> (8 * k) & 255] == static_cast<uint32_t>(n)) continue;
        uint32_t before = 0;
        for (int i = 0; i < 256; ++i) {
            const uint32_t here = places[i];
            places[i] = before;
            before += here;
        }
        for (int i = 0; i < n; ++i) b[places[a[i].key >> (8 * k) & 255]++] = a[i];
        std::swap(a, b);
    }
    return a;
}

}  // namespace mistworks
