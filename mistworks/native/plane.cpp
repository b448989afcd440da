// Columns by their ranks: see plane.h.
#include "plane.h"

namespace mistworks {

Plane plane_of(Sample& s, int i, int j, int most) {
    const int n = s.n, m = std::min(n, most);
    const int32_t *of_x = s.column(i), *of_y = s.column(s.dx + j);
    double *x = s.arena.get<double>(m), *y = s.arena.get<double>(m), *sorted_y = x;
    auto single = [&](int rank) { return static_cast<double>(static_cast<float>(s.score[rank])); };
    if (m == n) {
        for (int r = 0; r < n; ++r) x[r] = single(r);
        for (int p = 0; p < n; ++p) y[of_x[p]] = x[of_y[p]];
    } else {
        uint64_t* ranks = s.arena.get<uint64_t>(m);
        int32_t* y_ranks = s.arena.get<int32_t>(m);
        for (int p = 0; p < m; ++p) {
            const int point = s.point(p);
            ranks[p] = static_cast<uint64_t>(of_x[point]) << 32 | static_cast<uint32_t>(of_y[point]);
            y_ranks[p] = of_y[point];
        }
        std::sort(ranks, ranks + m);
        std::sort(y_ranks, y_ranks + m);
        sorted_y = s.arena.get<double>(m);
        for (int p = 0; p < m; ++p) {
            x[p] = single(static_cast<int>(ranks[p] >> 32));
            y[p] = single(static_cast<int>(ranks[p] & 0xffffffff));
            sorted_y[p] = single(y_ranks[p]);
        }
    }
    return {m, x, y, sorted_y};
}

}  // namespace mistworks
