// Strong dependence; formulas as in mistworks/statistics/local.py.
//   corrected:    KSG estimates for k = d + 2 and 2 d + 4 plus the mean Gaussian MI, less its bias, of each query with its
//                 k neighbours (after Gao, Ver Steeg, Galstyan 2015), and the same with those MI below 0 taken as 0; the
//                 standard deviation over the queries. For d ≤ 8, else 0.
//   monotone:     −log sin(π (D + ½) / (N + 1)) of pairs (x_i, y_j) that correlate best with each other, with D of N pairs
//                 of points inverted: the three greatest; the sum of the first eight with −½ log(1 − r²) of the others;
//                 differences of ranks of the pair with the least inversions.
//   unshrunk:     −½ log(1 − ρ²) of the leading canonical correlations without shrinkage.
#include <cmath>

#include "algebra.h"
#include "canonical.h"
#include "distances.h"
#include "groups.h"

namespace mistworks {
namespace {

constexpr int D = 8;
constexpr double LATTICE = 1e-3;
constexpr float TIE_BREAK = 1e-3f;
// Far below the lattice; its eighth power is a number yet.
constexpr double LEAST_PIVOT = 1e-30;
// So many points may tie with the last neighbour.
constexpr int EQUAL = 4;
constexpr int MOST_NEIGHBOURS = 2 * D + 4;
constexpr int MOST_AROUND = MOST_NEIGHBOURS + 1 + EQUAL;
// Queries whose Cholesky factors are computed side by side.
constexpr int QUERIES = 8;
// Lanes whose least values bound those of a row.
constexpr int LANES = 64;

constexpr int LEADING = 3;
constexpr int MOST_PAIRS = 8;
constexpr double THRESHOLD = 2.0;
constexpr int LEAST_POINTS = 8;
constexpr double NO_CORRELATION = 1e-12;
constexpr double SECOND = 1e-3;

// Positions of all values up to `slack` times the (k+1)-th least, k < LANES, and some more; returns how many.
int near_of_row(const float* row, int length, int m, int k, float slack, uint16_t* near) {
    if (k <= 15) return candidates(row, length, m, k, slack, near);
    constexpr int VECTORS = LANES / FLOATS;
    Floats lanes[VECTORS];
    for (int v = 0; v < VECTORS; ++v) lanes[v] = load(row + FLOATS * v);
    for (int j = LANES; j < length; j += LANES)
        for (int v = 0; v < VECTORS; ++v) lanes[v] = lesser(lanes[v], load(row + j + FLOATS * v));
    float least[LANES];
    for (int v = 0; v < VECTORS; ++v) store(least + FLOATS * v, lanes[v]);
    std::nth_element(least, least + k, least + LANES);
    return up_to(row, length, m, least[k] * slack, near);
}

// Sums of products of points around a query, and of the points; D coordinates, the rest zeros.
struct Products {
    double products[D][D] = {}, sums[D] = {};
    int count = 0;

    void add(const double* point, const double* centre, int d) {
        double apart[D];
        for (int c = 0; c < D; ++c) apart[c] = point[c] - centre[c];
        for (int i = 0; i < d; ++i)
            for (int j = 0; j < D; ++j) products[i][j] += apart[i] * apart[j];
        for (int c = 0; c < D; ++c) sums[c] += apart[c];
        ++count;
    }
};

// Covariances of QUERIES queries side by side, lower triangles.
struct Covariances {
    double values[D][D][QUERIES];

    void set(int query, const Products& p, const double* lattice, int d) {
        const double inverse = 1.0 / p.count;
        for (int i = 0; i < d; ++i) {
            for (int j = 0; j <= i; ++j)
                values[i][j][query] = p.products[i][j] * inverse - p.sums[i] * inverse * (p.sums[j] * inverse);
            values[i][i][query] += lattice[i];
        }
    }
    // Products of the squared pivots of the Cholesky factors of rows from … d − 1, those of Y.
    void pivots_of_y(int from, int dx, int d, double* product) const {
        double l[D][D][QUERIES];
        for (int q = 0; q < QUERIES; ++q) product[q] = 1;
        for (int i = from; i < d; ++i) {
            for (int j = from; j <= i; ++j) {
                double v[QUERIES];
                for (int q = 0; q < QUERIES; ++q) v[q] = values[i][j][q];
                for (int k = from; k < j; ++k)
                    for (int q = 0; q < QUERIES; ++q) v[q] -= l[i][k][q] * l[j][k][q];
                if (i > j)
                    for (int q = 0; q < QUERIES; ++q) l[i][j][q] = v[q] * l[j][j][q];
                else
                    for (int q = 0; q < QUERIES; ++q) {
                        const double pivot = std::max(v[q], LEAST_PIVOT);
                        product[q] *= i >= dx ? pivot : 1.0;
                        l[i][i][q] = 1 / std::sqrt(pivot);
                    }
            }
        }
    }
    // Gaussian MI of the first `count` queries.
    void mi(int dx, int d, int count, double* out) const {
        double alone[QUERIES], given_x[QUERIES];
        pivots_of_y(dx, dx, d, alone);
        pivots_of_y(0, dx, d, given_x);
        for (int q = 0; q < count; ++q) out[q] = std::min(std::max(0.5 * std::log(alone[q] / given_x[q]), 0.0), 500.0);
    }
};

// Values of a permutation that were seen, counted in words of 64 and blocks of 128 words.
class Seen {
  public:
    Seen(Arena& arena, int n)
        : blocks_((n + BLOCK_VALUES - 1) / BLOCK_VALUES),
          words_(arena.zeros<uint64_t>(static_cast<size_t>(blocks_) * WORDS)),
          in_block_(arena.zeros<uint16_t>(static_cast<size_t>(blocks_) * WORDS)),
          in_blocks_(arena.zeros<int32_t>(blocks_)) {
        for (int w = 0; w < 2 * WORDS; ++w) later_[w] = w >= WORDS;
    }
    // How many are less than `value`, which is seen from now on.
    int add(int value) {
        const int block = value / BLOCK_VALUES, place = value / 64 % WORDS;
        const uint64_t bit = uint64_t(1) << value % 64;
        uint64_t& word = words_[value / 64];
        uint16_t* counts = in_block_ + static_cast<size_t>(block) * WORDS;
        const int less = in_blocks_[block] + counts[place] + __builtin_popcountll(word & (bit - 1));
        word |= bit;
        const uint16_t* later = later_ + WORDS - 1 - place;
        for (int w = 0; w < WORDS; ++w) counts[w] = static_cast<uint16_t>(counts[w] + later[w]);
        for (int b = 0; b < blocks_; ++b) in_blocks_[b] += b > block;
        return less;
    }

  private:
    static constexpr int WORDS = 128, BLOCK_VALUES = 64 * WORDS;
    int blocks_;
    uint64_t* words_;
    // Seen values in the words before one of its block, and in the blocks before one.
    uint16_t* in_block_;
    int32_t* in_blocks_;
    uint16_t later_[2 * WORDS];
};

// Pairs i < j with values[i] > values[j] of a permutation.
int64_t inversions(Arena& arena, const int32_t* values, int n) {
    Seen seen(arena, n);
    int64_t total = 0;
    for (int i = 0; i < n; ++i) total += i - seen.add(values[i]);
    return total;
}

struct Pair {
    double square;
    int i, j;
    bool negative;
};

struct Order {
    double kendall, displacement[3];
    double key() const { return kendall + SECOND * displacement[0]; }
};

Order order_of(Sample& s, const Pair& pair) {
    Arena::Scope scope(s.arena);
    const int n = s.n;
    const int32_t *x = s.column(pair.i), *y = s.column(s.dx + pair.j);
    int32_t* row = s.arena.get<int32_t>(n);
    for (int i = 0; i < n; ++i) row[x[i]] = pair.negative ? n - 1 - y[i] : y[i];
    double logs = 0, product = 1, squares = 0;
    int same = 0;
    for (int i = 0; i < n; ++i) {
        const double apart = std::abs(row[i] - i);
        product *= 2 * apart + 1;
        squares += apart * apart;
        same += apart == 0;
        if (product > 1e250) {
            logs += std::log(product);
            product = 1;
        }
    }
    logs += std::log(product);
    const double points = n, count = points * (points - 1) / 2;
    const double share = (inversions(s.arena, row, n) + 0.5) / (count + 1);
    Order order;
    order.kendall = -std::log(std::sin(PI * std::min(share, 0.5)));
    order.displacement[0] = std::log(points) - logs / n;
    order.displacement[1] = -0.5 * std::log(12 * (squares / n + 1.0 / 12) / (points * points));
    order.displacement[2] = static_cast<double>(same) / n;
    return order;
}

}  // namespace

void corrected(Sample& s) {
    const int d = s.d, dx = s.dx;
    if (d > D) {
        for (int i = 0; i < 5; ++i) s.put(0);
        return;
    }
    const int m = s.points, length = padded_floats(m);
    const int used[2] = {std::min(d + 2, m - 1), std::min(2 * d + 4, m - 1)};
    float* x_scores = s.arena.get<float>(static_cast<size_t>(d) * length);
    float* y_scores = x_scores + static_cast<size_t>(dx) * length;
    double* points = s.arena.zeros<double>(static_cast<size_t>(m) * D);
    for (int c = 0; c < d; ++c) {
        const int32_t* r = s.column(c);
        float* to = x_scores + static_cast<size_t>(c) * length;
        for (int i = 0; i < m; ++i) to[i] = static_cast<float>(points[static_cast<size_t>(i) * D + c] = s.score[r[s.point(i)]]);
        for (int i = m; i < length; ++i) to[i] = FAR;
    }
    double biases[MOST_AROUND + 1] = {};
    for (int count = d + 2; count <= MOST_AROUND; ++count) biases[count] = bias(count, dx, d - dx);
    float *of_x = s.arena.get<float>(length), *of_y = s.arena.get<float>(length), *joint = s.arena.get<float>(length);
    float* key = s.arena.get<float>(length);
    uint16_t* near = s.arena.get<uint16_t>(length + LANES);
    double totals[2] = {}, positive[2] = {}, first_term = 0, sum = 0, square = 0;
    const double unit = LATTICE * 2 * PI / (static_cast<double>(s.n) * s.n);
    Covariances covariances[2] = {};
    double counted[2][QUERIES], expected[2][QUERIES];
    for (int i = 0; i < s.queries; ++i) {
        const int query = i % QUERIES;
        maximum_row(x_scores, length, dx, x_scores + i, length, of_x);
        maximum_row(y_scores, length, d - dx, y_scores + i, length, of_y);
        for (int j = 0; j < length; j += FLOATS) {
            const Floats a = load(of_x + j), b = load(of_y + j);
            store(key + j, greater(a, b) + lesser(a, b) * TIE_BREAK);
        }
        // The key may exceed the distance by TIE_BREAK.
        const int count = near_of_row(key, length, m, used[1], 1 + 1.1f * TIE_BREAK, near);
        for (int t = 0; t < count; ++t) joint[near[t]] = std::max(of_x[near[t]], of_y[near[t]]);
        float least[2], keys[2], radii[2];
        least_at<2>(joint, near, count, used, least);
        least_at<2>(key, near, count, used, keys);
        for (int k = 0; k < 2; ++k) radii[k] = just_above(least[k] * (1 - TOLERANCE));
        int32_t x_count[2], y_count[2];
        count_below<2>(of_x, length, radii, x_count);
        count_below<2>(of_y, length, radii, y_count);
        const double* centre = points + static_cast<size_t>(i) * D;
        double lattice[D];
        for (int c = 0; c < d; ++c) lattice[c] = unit * std::exp(centre[c] * centre[c]);
        Products products;
        float last = -1;
        for (int k = 0; k < 2; ++k) {
            const float before = last;
            last = keys[k] * (1 + TOLERANCE);
            for (int t = 0; t < count; ++t)
                if (key[near[t]] > before && key[near[t]] <= last)
                    products.add(points + static_cast<size_t>(near[t]) * D, centre, d);
            covariances[k].set(query, products, lattice, d);
            counted[k][query] = psi(used[k]) - psi(std::max(x_count[k], 1)) - psi(std::max(y_count[k], 1)) + psi(m);
            expected[k][query] = biases[std::min(products.count, MOST_AROUND)];
        }
        if (query < QUERIES - 1 && i < s.queries - 1) continue;
        for (int k = 0; k < 2; ++k) {
            double local[QUERIES];
            covariances[k].mi(dx, d, query + 1, local);
            for (int q = 0; q <= query; ++q) {
                const double correction = local[q] - expected[k][q], term = counted[k][q] + correction;
                totals[k] += term;
                positive[k] += counted[k][q] + std::max(correction, 0.0);
                if (!k) continue;
                // About the first term, so that squares of like numbers do not cancel.
                if (i - query + q == 0) first_term = term;
                sum += term - first_term;
                square += (term - first_term) * (term - first_term);
            }
        }
    }
    const double queries = s.queries;
    for (int k = 0; k < 2; ++k) {
        s.put(totals[k] / queries);
        s.put(positive[k] / queries);
    }
    s.put(std::sqrt(std::max(square - sum * sum / queries, 0.0) / (queries - 1)));
}

void monotone(Sample& s) {
    if (s.n < LEAST_POINTS) {
        for (int i = 0; i < LEADING + 4; ++i) s.put(0);
        return;
    }
    const int dx = s.dx, dy = s.dy;
    const double most = 1 - least_residual(s.n);
    auto square_of = [&](int i, int j) {
        const double r = s.correlation_of(i, dx + j);
        return std::min(r * r, most);
    };
    double *row = s.arena.zeros<double>(dx), *column = s.arena.zeros<double>(dy);
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            row[i] = std::max(row[i], square_of(i, j));
            column[j] = std::max(column[j], square_of(i, j));
        }
    Pair* pairs = s.arena.get<Pair>(static_cast<size_t>(dx) * dy);
    int count = 0;
    for (int i = 0; i < dx; ++i)
        for (int j = 0; j < dy; ++j) {
            const double square = square_of(i, j);
            if (square >= least_of(row[i]) && square >= least_of(column[j]))
                pairs[count++] = {square, i, j, s.correlation_of(i, dx + j) < 0};
        }
    const int ordered = std::min(count, MOST_PAIRS);
    std::partial_sort(pairs, pairs + ordered, pairs + count,
                      [](const Pair& a, const Pair& b) { return a.square > b.square; });
    const double cut = THRESHOLD * (1 + std::log(static_cast<double>(dx) * dy));
    double matched = 0, kendall[MOST_PAIRS] = {};
    Order best = {-1, {}};
    for (int p = 0; p < count; ++p) {
        const bool clear = pairs[p].square * s.n > cut;
        if (p >= ordered) {
            matched -= clear ? 0.5 * std::log1p(-pairs[p].square) : 0.0;
            continue;
        }
        Order order = order_of(s, pairs[p]);
        matched += clear ? order.kendall : 0.0;
        // Where r is 0 the order of y has no sign, and what is said of it must not depend on one.
        if (pairs[p].square <= NO_CORRELATION) order = {};
        kendall[p] = order.kendall;
        if (order.key() > best.key()) best = order;
    }
    std::sort(kendall, kendall + MOST_PAIRS, [](double a, double b) { return a > b; });
    s.put(kendall, LEADING);
    s.put(matched);
    s.put(best.displacement, 3);
}

void unshrunk(Sample& s) {
    if (!many_points(s.n, s.d)) {
        for (int i = 0; i < LEADING; ++i) s.put(0);
        return;
    }
    double* squares = s.arena.get<double>(s.d);
    const int count = squared_canonical(s.correlation, s.ld, s.dx, s.d, 1 - RIDGE, 0, true, squares, s.arena);
    const double most = 1 - least_residual(s.n);
    for (int i = 0; i < LEADING; ++i)
        s.put(i < count ? -0.5 * std::log1p(-std::min(std::max(squares[i], 0.0), most)) : 0);
}

}  // namespace mistworks
