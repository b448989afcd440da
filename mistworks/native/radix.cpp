// Sorting of rows by 64-bit keys: a stable radix sort by the upper halves, 8 bits at a time, least significant first;
// then rows of equal upper halves by the lower ones. Few keys of real numbers or hashes share an upper half without
// being equal, and entries of 8 bytes take half the time of whole keys.
#include "radix.h"

#include <algorithm>
#include <utility>

namespace mistworks {
namespace {

// Up to here comparisons are faster.
constexpr size_t FEW = 96;

void sort_few(const uint64_t* keys, uint32_t* rows, size_t n) {
    struct Whole {
        uint64_t key;
        uint32_t row;
    } whole[FEW];
    for (size_t i = 0; i < n; ++i) whole[i] = {keys[rows[i]], rows[i]};
    std::sort(whole, whole + n, [](const Whole& a, const Whole& b) {
        return a.key < b.key || (a.key == b.key && a.row < b.row);
    });
    for (size_t i = 0; i < n; ++i) rows[i] = whole[i].row;
}

// Sorts a, with b for scratch; returns which of them holds the result.
Entry* sorted(Entry* a, Entry* b, size_t n) {
    uint32_t counts[4][256] = {};
    for (size_t i = 0; i < n; ++i)
        for (int digit = 0; digit < 4; ++digit) ++counts[digit][a[i].key >> (8 * digit) & 255];
    for (int digit = 0; digit < 4; ++digit) {
        uint32_t* places = counts[digit];
        // All keys share this digit.
        if (places[a[0].key >> (8 * digit) & 255] == n) continue;
        uint32_t before = 0;
        for (int i = 0; i < 256; ++i) {
            const uint32_t here = places[i];
            places[i] = before;
            before += here;
        }
        for (size_t i = 0; i < n; ++i) b[places[a[i].key >> (8 * digit) & 255]++] = a[i];
        std::swap(a, b);
    }
    return a;
}

Entry* sorted_by_half(const uint64_t* keys, uint32_t* rows, size_t n, int shift, Entry* scratch) {
    for (size_t i = 0; i < n; ++i) scratch[i] = {static_cast<uint32_t>(keys[rows[i]] >> shift), rows[i]};
    Entry* entries = sorted(scratch, scratch + n, n);
    for (size_t i = 0; i < n; ++i) rows[i] = entries[i].row;
    return entries;
}

}  // namespace

void sort_rows(const uint64_t* keys, uint32_t* rows, size_t n, Entry* scratch) {
    if (n <= FEW) {
        sort_few(keys, rows, n);
        return;
    }
    const Entry* entries = sorted_by_half(keys, rows, n, 32, scratch);
    // Where the entries are no longer needed they are scratch for the groups before them.
    for (size_t first = 0; first < n;) {
        size_t end = first + 1;
        bool equal = true;
        for (; end < n && entries[end].key == entries[first].key; ++end) equal &= keys[rows[end]] == keys[rows[first]];
        const size_t size = end - first;
        if (!equal && size <= FEW) sort_few(keys, rows + first, size);
        if (!equal && size > FEW) {
            // All of one upper half: then nothing else is left to do with the entries.
            if (size == n) {
                sorted_by_half(keys, rows, n, 0, scratch);
                return;
            }
            std::sort(rows + first, rows + end, [keys](uint32_t a, uint32_t b) {
                return keys[a] < keys[b] || (keys[a] == keys[b] && a < b);
            });
        }
        first = end;
    }
}

}  // namespace mistworks
