// Pairs of one column of X and one of Y, each by what fits the pair; formulas as in mistworks/statistics/pairs.py.
//   strengths: −½ log(1 − r²) − 1/2n; MI of the table of two discrete columns by Miller and Madow, or less chance E where
//   it has more than n cells; of one discrete column the table with 9 or 5 bins of the other, and
//   ½ log((n − K) / ((n − 1)(1 − η²))). Each with G ~ χ²_ν, of tables ν + 2n (Î − E), and
//   z = ((G/ν)^⅓ − 1 + 2/9ν) / √(2/9ν).
#include <cmath>

#include "canonical.h"
#include "groups.h"
#include "states.h"

namespace mistworks {
namespace {

constexpr double THRESHOLDS[] = {1.0, 2.0, 4.0};
constexpr double CLEAR = 2.0;
constexpr double MOST = 1 - 1e-12;
constexpr int BINS[] = {9, 5};
// Tables of more cells than this are counted by hashing.
constexpr int64_t MOST_CELLS = int64_t(1) << 22;
// Whose c log c is tabulated.
constexpr int TABULATED = 1 << 16;

struct Column {
    States states;
    bool discrete = false;
    double plug_in = 0, entropy = 0;
    Distinct distinct = {};
    // Bins of a column that is not discrete: 9, then 5.
    States bins[2] = {};
    Distinct bin_counts[2] = {};
};

struct Strongest {
    double strength = 0, z = -1e300;
    void add(double nats, double level) {
        if (level > CLEAR) strength = std::max(strength, nats);
        z = std::max(z, level);
    }
};

double normal(double statistic, double freedom) {
    const double spread = 2 / (9 * freedom);
    return (std::cbrt(std::max(statistic, 0.0) / freedom) - 1 + spread) / std::sqrt(spread);
}

class Tables {
  public:
    Tables(Sample& sample, int64_t most_cells) : s(sample), chances_(sample) {
        const int size = std::min(s.n + 1, TABULATED);
        logs_ = s.arena.get<double>(size);
        logs_[0] = 0;
        for (int c = 1; c < size; ++c) logs_[c] = c * std::log(static_cast<double>(c));
        cells_ = s.arena.zeros<int32_t>(std::min(most_cells, MOST_CELLS));
    }

    double plug_in(const States& states) const {
        double sum = 0;
        for (int k = 0; k < states.count; ++k) sum += c_log_c(states.counts[k]);
        return std::log(static_cast<double>(s.n)) - sum / s.n;
    }

    void add(const Column& x, const States& y, double y_plug_in, double y_entropy, const Distinct& y_distinct,
             Strongest& strongest) {
        const int n = s.n, rows = x.states.count, columns = y.count;
        int cells = 0;
        const double joint = joint_entropy(x.states, y, cells), plain = x.plug_in + y_plug_in - joint;
        const double freedom = std::min(static_cast<double>(rows - 1) * (columns - 1), static_cast<double>(n));
        const double chance = permuted_mi(s, x.distinct, y_distinct, &chances_);
        double mi;
        if (static_cast<int64_t>(rows) * columns <= n)
            mi = plain - (cells - rows - columns + 1) / (2.0 * n);
        else
            mi = (plain - chance) * std::min(x.entropy, y_entropy) / headroom(std::min(x.plug_in, y_plug_in), chance);
        const double level = normal(freedom + 2 * n * (plain - chance), freedom);
        strongest.add(std::min({std::max(mi, 0.0), x.entropy, y_entropy}), level);
    }

  private:
    double c_log_c(int c) const { return c < TABULATED ? logs_[c] : c * std::log(static_cast<double>(c)); }

    double joint_entropy(const States& x, const States& y, int& cells) {
        double sum = 0;
        if (static_cast<int64_t>(x.count) * y.count > MOST_CELLS) {
            Arena::Scope scope(s.arena);
            const States joint = joint_states(s, x, y);
            cells = joint.count;
            for (int k = 0; k < joint.count; ++k) sum += c_log_c(joint.counts[k]);
        } else {
            for (int i = 0; i < s.n; ++i) ++cells_[x.codes[i] * y.count + y.codes[i]];
            const int size = x.count * y.count;
            if (size <= s.n) {
                for (int k = 0; k < size; ++k) {
                    cells += cells_[k] > 0;
                    sum += c_log_c(cells_[k]);
                    cells_[k] = 0;
                }
                return std::log(static_cast<double>(s.n)) - sum / s.n;
            }
            for (int i = 0; i < s.n; ++i) {
                int32_t& cell = cells_[x.codes[i] * y.count + y.codes[i]];
                if (!cell) continue;
                ++cells;
                sum += c_log_c(cell);
                cell = 0;
            }
        }
        return std::log(static_cast<double>(s.n)) - sum / s.n;
    }

    Sample& s;
    Cells chances_;
    double* logs_;
    int32_t* cells_;
};

// The column of ranks in bins that a reflection reverses.
States binned(Sample& s, int j, int bins) {
    States made{s.arena.get<int32_t>(s.n), s.arena.zeros<int32_t>(bins), bins};
    const int32_t* rank = s.column(j);
    for (int i = 0; i < s.n; ++i) {
        const int64_t mirrored = s.n - 1 - rank[i], inwards = std::min<int64_t>(rank[i], mirrored);
        const int bin = static_cast<int>(bins * inwards / s.n);
        made.codes[i] = rank[i] <= mirrored ? bin : bins - 1 - bin;
        ++made.counts[made.codes[i]];
    }
    return made;
}

void add_variance_share(const Sample& s, const Column& few, const int32_t* rank, double* sums, Strongest& strongest) {
    const int n = s.n, k = few.states.count;
    std::fill(sums, sums + k, 0.0);
    double square = 0, sum = 0, between = 0;
    for (int i = 0; i < n; ++i) sums[few.states.codes[i]] += s.score[rank[i]];
    for (int i = 0; i < n; ++i) square += s.score[i] * s.score[i];
    for (int c = 0; c < k; ++c) {
        between += sums[c] * sums[c] / few.states.counts[c];
        sum += sums[c];
    }
    between -= sum * sum / n;
    const double total = std::max(square - sum * sum / n, 1e-300);
    const double rest = std::min(std::max(1 - between / total, 1 - MOST), 1.0);
    const double strength = 0.5 * (std::log(static_cast<double>(n - k) / (n - 1)) - std::log(rest));
    strongest.add(std::min(std::max(strength, 0.0), few.entropy), normal(-(n - 1 - 0.5 * k) * std::log(rest), k - 1));
}

Column* columns_of(Sample& s, bool& any) {
    Column* columns = s.arena.get<Column>(s.d);
    any = false;
    for (int j = 0; j < s.d; ++j) {
        columns[j] = Column();
        const int distinct = distinct_values(s, j);
        columns[j].discrete = distinct > 1 && 4 * static_cast<int64_t>(distinct) <= s.n;
        any |= columns[j].discrete;
    }
    return columns;
}

// Values of discrete columns and bins of the others.
void describe(Sample& s, Column* columns, const Tables& tables) {
    for (int j = 0; j < s.d; ++j) {
        Column& column = columns[j];
        if (column.discrete) {
            column.states = states_of_column(s, s.exact_column(j));
            column.plug_in = tables.plug_in(column.states);
            column.entropy = column.plug_in + (column.states.count - 1) / (2.0 * s.n);
            column.distinct = rounded(s, distinct_counts(s, column.states));
        } else {
            for (int b = 0; b < 2; ++b) {
                column.bins[b] = binned(s, j, BINS[b]);
                column.bin_counts[b] = rounded(s, distinct_counts(s, column.bins[b]));
            }
        }
    }
}

int64_t most_cells(const Sample& s, const Column* columns) {
    int64_t x = 9, y = 9;
    for (int j = 0; j < s.d; ++j)
        if (columns[j].discrete) (j < s.dx ? x : y) = std::max<int64_t>(j < s.dx ? x : y, distinct_values(s, j));
    return x * y;
}

}  // namespace

void pairs(Sample& s) {
    const int n = s.n, dx = s.dx, dy = s.dy;
    bool any;
    Column* columns = columns_of(s, any);
    double *strength = s.arena.get<double>(static_cast<size_t>(dx) * dy), *z = s.arena.get<double>(size_t(dx) * dy);
    double *row = s.arena.zeros<double>(dx), *column = s.arena.zeros<double>(dy);
    // r² from which on z > 2.
    const double root = 1 - 2.0 / 9 + CLEAR * std::sqrt(2.0 / 9);
    const double clear = -std::expm1(-root * root * root / (n - 2)) * (1 - 1e-9);
    Tables* tables = nullptr;
    Arena::Scope scope(s.arena);
    if (any) {
        tables = new (s.arena.get<Tables>(1)) Tables(s, most_cells(s, columns));
        describe(s, columns, *tables);
    }
    double* sums = s.arena.get<double>(n / 4 + 1);
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double r = s.correlation_of(i, dx + j), square = std::min(r * r, MOST);
            Strongest strongest;
            if (square >= clear) {
                const double log = std::log1p(-square);
                strongest.add(std::max(-0.5 * log - 0.5 / n, 0.0), normal(-(n - 2) * log, 1));
            }
            const Column &x = columns[i], &y = columns[dx + j];
            if (x.discrete && y.discrete) {
                tables->add(x, y.states, y.plug_in, y.entropy, y.distinct, strongest);
            } else if (x.discrete || y.discrete) {
                const Column &few = x.discrete ? x : y, &other = x.discrete ? y : x;
                add_variance_share(s, few, s.column(x.discrete ? dx + j : i), sums, strongest);
                for (int b = 0; b < 2; ++b) {
                    if (BINS[b] * static_cast<int64_t>(few.states.count) > n) continue;
                    const double plug_in = tables->plug_in(other.bins[b]);
                    const double entropy = plug_in + (BINS[b] - 1) / (2.0 * n);
                    tables->add(few, other.bins[b], plug_in, entropy, other.bin_counts[b], strongest);
                    break;
                }
            }
            strength[i * dy + j] = strongest.strength;
            z[i * dy + j] = strongest.z;
            row[i] = std::max(row[i], strongest.strength);
            column[j] = std::max(column[j], strongest.strength);
        }
    double* greatest = s.arena.get<double>(static_cast<size_t>(dx) * dy);
    double sum[3] = {}, kinds[2] = {};
    int number[3] = {}, count = 0;
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double v = strength[i * dy + j];
            if (v <= 0 || v < least_of(row[i]) || v < least_of(column[j])) continue;
            greatest[count++] = v;
            const int of_discrete = columns[i].discrete + columns[dx + j].discrete;
            for (int t = 0; t < 3; ++t) {
                if (!(z[i * dy + j] > std::sqrt(THRESHOLDS[t] * (1 + std::log(static_cast<double>(dx) * dy))))) continue;
                sum[t] += v;
                ++number[t];
                if (t == 1 && of_discrete) kinds[of_discrete == 1] += v;
            }
        }
    std::sort(greatest, greatest + count, [](double a, double b) { return a > b; });
    for (int t = 0; t < 3; ++t) {
        s.put(sum[t]);
        s.put(std::log1p(static_cast<double>(number[t])));
    }
    for (int place : {1, 2, 4, 8, 16}) s.put(place <= count ? greatest[place - 1] : 0.0);
    s.put(kinds, 2);
    double shares[2] = {};
    for (int j = 0; j < s.d; ++j) shares[j >= dx] += columns[j].discrete;
    s.both_sides(shares[0] / dx, shares[1] / dy);
}

}  // namespace mistworks
