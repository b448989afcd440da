// Sizes of the sample, and the share of equal values.
//   sizes: log n, log min(n, 512), log of the lesser and the greater dimension, log d, log n/d, 1/√n, √(d/n),
//          log(dx dy / n), whether d ≤ 2.
//   ties:  1 − distinct values / n of a column: mean and maximum of each side.
#include <cmath>

#include "groups.h"

namespace mistworks {

void sizes(Sample& s) {
    const double n = s.n, d = s.d, low = std::min(s.dx, s.dy), high = std::max(s.dx, s.dy);
    s.put(std::log(n));
    s.put(std::log(std::min(n, static_cast<double>(SUBSET))));
    s.put(std::log(low));
    s.put(std::log(high));
    s.put(std::log(d));
    s.put(std::log(n / d));
    s.put(1 / std::sqrt(n));
    s.put(std::sqrt(d / n));
    s.put(std::log(low * high / n));
    s.put(s.d <= 2);
}

void ties(Sample& s) {
    double mean[2] = {0, 0}, most[2] = {0, 0};
    for (int j = 0; j < s.d; ++j) {
        const int side = j >= s.dx;
        mean[side] += s.tied_shares[j] / (side ? s.dy : s.dx);
        most[side] = std::max(most[side], s.tied_shares[j]);
    }
    s.both_sides(mean[0], mean[1]);
    s.both_sides(most[0], most[1]);
}

}  // namespace mistworks
