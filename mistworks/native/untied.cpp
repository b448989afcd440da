// Ties broken by a hash of the sample itself, in six steps that mistworks/statistics/untied.py explains:
//   kᵢ = H(H(Σⱼ H(fᵢⱼ) + number among equal rows) + how many are equal), fᵢⱼ = min(hᵢⱼ, 2n − 2 − hᵢⱼ)
//   Aⱼ = Σᵢ (hᵢⱼ − (n − 1)) (kᵢ >> 48),  sⱼ = H(Σᵢ H(fᵢⱼ + kᵢ)) + H(|Aⱼ|)
//   kᵢ ← H(kᵢ + Σⱼ H(sign(Aⱼ) (hᵢⱼ − (n − 1)) + sⱼ)),  sⱼ ← H(sⱼ + number among equal signatures)
// Within a group of ties points are in the order of H(kᵢ + sⱼ), from the outer end inwards; what is equal still, the
// hash of the row tells apart.
#include "hash.h"
#include "radix.h"
#include "sample.h"

namespace mistworks {
namespace {

struct Keys {
    uint64_t *of_row, *fallback, *signature;
    int* sign;
};

// keys[i] ← H(H(keys[i] + number of equal rows before) + how many are equal).
void add_copies(const Sample& s, const uint64_t* hashes, uint64_t* keys) {
    Arena::Scope scope(s.arena);
    uint32_t* rows = s.arena.get<uint32_t>(s.n);
    for (int i = 0; i < s.n; ++i) rows[i] = static_cast<uint32_t>(i);
    sort_rows(hashes, rows, s.n, s.arena.get<Entry>(2 * static_cast<size_t>(s.n)));
    for (int i = 0; i < s.n;) {
        int end = i + 1;
        while (end < s.n && hashes[rows[end]] == hashes[rows[i]]) ++end;
        for (int k = i; k < end; ++k) {
            uint64_t& key = keys[rows[k]];
            key = hashed(hashed(key + static_cast<uint64_t>(k - i)) + static_cast<uint64_t>(end - i));
        }
        i = end;
    }
}

// Signatures that differ also between columns that are equal: numbered through the sides in the order of their sums.
void tell_apart(const Sample& s, uint64_t* signature) {
    uint64_t sums[2] = {0, 0};
    for (int j = 0; j < s.d; ++j) sums[j >= s.dx] += signature[j];
    const bool y_first = sums[1] < sums[0];
    uint64_t* number = s.arena.zeros<uint64_t>(s.d);
    for (int j = 0; j < s.d; ++j)
        for (int k = 0; k < s.d; ++k) {
            const bool before = (j >= s.dx) == (k >= s.dx) ? k < j : (k >= s.dx) == y_first;
            number[j] += before && signature[k] == signature[j];
        }
    for (int j = 0; j < s.d; ++j) number[j] += signature[j];
    for (int j = 0; j < s.d; ++j) signature[j] = hashed(number[j]);
}

Keys keys_of(const Sample& s) {
    const int n = s.n;
    const int64_t middle = n - 1;
    Keys keys{s.arena.zeros<uint64_t>(n), s.arena.zeros<uint64_t>(n), s.arena.get<uint64_t>(s.d), s.arena.get<int>(s.d)};
    auto folded = [middle](int32_t h) { return static_cast<uint64_t>(std::min<int64_t>(h, 2 * middle - h)); };
    for (int j = 0; j < s.d; ++j) {
        const int32_t* h = s.exact_column(j);
        const uint64_t offset = static_cast<uint64_t>(j) * 2 * n;
        for (int i = 0; i < n; ++i) {
            keys.of_row[i] += hashed(folded(h[i]));
            keys.fallback[i] += hashed(h[i] + offset);
        }
    }
    add_copies(s, keys.fallback, keys.of_row);
    uint64_t* oriented = s.arena.zeros<uint64_t>(n);
    for (int j = 0; j < s.d; ++j) {
        const int32_t* h = s.exact_column(j);
        int64_t moment = 0;
        uint64_t sum = 0;
        for (int i = 0; i < n; ++i) {
            moment += (h[i] - middle) * static_cast<int64_t>(keys.of_row[i] >> 48);
            sum += hashed(folded(h[i]) + keys.of_row[i]);
        }
        const int sign = (moment > 0) - (moment < 0);
        const uint64_t signature = hashed(sum) + hashed(static_cast<uint64_t>(moment < 0 ? -moment : moment));
        for (int i = 0; i < n; ++i) oriented[i] += hashed(static_cast<uint64_t>((h[i] - middle) * sign) + signature);
        keys.sign[j] = sign;
        keys.signature[j] = signature;
    }
    for (int i = 0; i < n; ++i) keys.of_row[i] = hashed(keys.of_row[i] + oriented[i]);
    tell_apart(s, keys.signature);
    return keys;
}

void untie_column(Sample& s, int j, const Keys& keys) {
    Arena::Scope scope(s.arena);
    const int n = s.n;
    const size_t size = n;
    const int32_t* h = s.exact_column(j);
    int32_t* rank = s.rank + static_cast<size_t>(j) * s.stride;
    uint64_t* own = s.arena.get<uint64_t>(size);
    uint32_t* rows = s.arena.get<uint32_t>(size);
    // Points of one half rank side by side: with c of them, the first is at (h − c + 1) / 2.
    uint32_t* places = s.arena.zeros<uint32_t>(2 * size);
    Entry* scratch = s.arena.get<Entry>(2 * size);
    const int lowest_above = keys.sign[j] >= 0 ? n : n - 1;
    for (int i = 0; i < n; ++i) {
        const uint64_t key = hashed(keys.of_row[i] + keys.signature[j]);
        own[i] = h[i] >= lowest_above ? ~key : key;
        ++places[h[i]];
    }
    uint32_t before = 0;
    for (size_t v = 0; v + 1 < 2 * size; ++v) {
        const uint32_t here = places[v];
        places[v] = before;
        before += here;
    }
    for (int i = 0; i < n; ++i) rows[places[h[i]]++] = static_cast<uint32_t>(i);
    for (int i = 0; i < n;) {
        int end = i + 1;
        while (end < n && h[rows[end]] == h[rows[i]]) ++end;
        if (end - i > 1) sort_rows(own, rows + i, end - i, scratch);
        // Hashes that are equal still.
        for (int first = i, last; first < end; first = last) {
            for (last = first + 1; last < end && own[rows[last]] == own[rows[first]];) ++last;
            if (last - first == 1) continue;
            const bool above = h[rows[first]] >= lowest_above;
            std::sort(rows + first, rows + last, [&](uint32_t a, uint32_t b) {
                const uint64_t of_a = keys.fallback[a], of_b = keys.fallback[b];
                return of_a != of_b ? (of_a < of_b) != above : a < b;
            });
        }
        for (int k = i; k < end; ++k) rank[rows[k]] = k;
        i = end;
    }
}

}  // namespace

void untie(Sample& s) {
    Arena::Scope scope(s.arena);
    Keys keys{};
    if (s.tied) keys = keys_of(s);
    for (int j = 0; j < s.d; ++j) {
        if (s.tied_shares[j] > 0) {
            untie_column(s, j, keys);
            continue;
        }
        const int32_t* h = s.exact_column(j);
        int32_t* rank = s.rank + static_cast<size_t>(j) * s.stride;
        for (int i = 0; i < s.n; ++i) rank[i] = h[i] / 2;
    }
}

}  // namespace mistworks
