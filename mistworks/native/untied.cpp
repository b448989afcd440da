// Ties broken by a hash of the sample itself, in six steps that mistworks/statistics/untied.py explains:
//   kᵢ = H(H(Σⱼ H(fᵢⱼ) + number among equal rows) + how many are equal), fᵢⱼ = min(hᵢⱼ, 2n − 2 − hᵢⱼ)
//   Aⱼ = Σᵢ (hᵢⱼ − (n − 1)) (kᵢ >> 48),  sⱼ = H(Σᵢ H(fᵢⱼ + kᵢ)) + H(|Aⱼ|)
//   kᵢ ← H(kᵢ + Σⱼ H(φᵢⱼ + sⱼ)), φᵢⱼ = sign(Aⱼ) (hᵢⱼ − (n − 1)); while an Aⱼ is 0 or two signatures are equal, again
//   sⱼ ← H(sⱼ + H(Σᵢ H(φᵢⱼ + kᵢ)) + H(|Aⱼ|) + H(Σ H(s) over its side)) and kᵢ ← H(kᵢ + Σⱼ H(φᵢⱼ + sⱼ))
// Within a group of ties points are in the order of H(kᵢ + H(sⱼ)), from the outer end inwards; what is equal still, the
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

bool shared(const Sample& s, const Keys& keys, int column) {
    for (int j = 0; j < s.d; ++j)
        if (j != column && keys.signature[j] == keys.signature[column]) return true;
    return false;
}

// How many columns have an orientation, and how many signatures there are.
int known(const Sample& s, const Keys& keys) {
    Arena::Scope scope(s.arena);
    uint64_t* sorted = s.arena.get<uint64_t>(s.d);
    std::copy(keys.signature, keys.signature + s.d, sorted);
    std::sort(sorted, sorted + s.d);
    int count = static_cast<int>(std::unique(sorted, sorted + s.d) - sorted);
    for (int j = 0; j < s.d; ++j) count += keys.sign[j] != 0;
    return count;
}

void refine(const Sample& s, Keys& keys) {
    Arena::Scope scope(s.arena);
    const int64_t middle = s.n - 1;
    auto oriented = [&](int j, int i) {
        const int64_t centred = s.exact_column(j)[i] - middle;
        return static_cast<uint64_t>(keys.sign[j] ? centred * keys.sign[j] : std::abs(centred));
    };
    uint64_t sides[2] = {0, 0};
    for (int j = 0; j < s.d; ++j) sides[j >= s.dx] += hashed(keys.signature[j]);
    uint64_t* sums = s.arena.zeros<uint64_t>(s.n);
    for (int j = 0; j < s.d; ++j) {
        const int32_t* h = s.exact_column(j);
        int64_t moment = 0;
        for (int i = 0; i < s.n; ++i) moment += (h[i] - middle) * static_cast<int64_t>(keys.of_row[i] >> 48);
        if (!keys.sign[j]) keys.sign[j] = (moment > 0) - (moment < 0);
        uint64_t contents = 0;
        for (int i = 0; i < s.n; ++i) contents += hashed(oriented(j, i) + keys.of_row[i]);
        keys.signature[j] = hashed(keys.signature[j] + hashed(contents) + hashed(static_cast<uint64_t>(std::abs(moment))) +
                                   hashed(sides[j >= s.dx]));
        for (int i = 0; i < s.n; ++i) sums[i] += hashed(oriented(j, i) + keys.signature[j]);
    }
    for (int i = 0; i < s.n; ++i) keys.of_row[i] = hashed(keys.of_row[i] + sums[i]);
}

// One column told from others that are the same to all that is known, or from its mirror image.
void choose(const Sample& s, Keys& keys) {
    int column = -1;
    for (int j = 0; j < s.d; ++j) {
        if (keys.sign[j] && !shared(s, keys, j)) continue;
        if (column < 0 || keys.signature[j] < keys.signature[column]) column = j;
    }
    if (shared(s, keys, column))
        keys.signature[column] = hashed(keys.signature[column]);
    else
        keys.sign[column] = 1;
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
    for (int before; (before = known(s, keys)) < 2 * s.d;) {
        refine(s, keys);
        if (known(s, keys) > before) continue;
        choose(s, keys);
        refine(s, keys);
    }
    for (int j = 0; j < s.d; ++j) keys.signature[j] = hashed(keys.signature[j]);
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
    const int lowest_above = keys.sign[j] > 0 ? n : n - 1;
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
