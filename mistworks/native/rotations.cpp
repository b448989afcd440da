// Gaussian MI after rotations by an angle that grows with the norm; formulas as in mistworks/statistics/rotations.py.
//   With r, s the standardised ‖x‖², ‖y‖²: bias-corrected Gaussian MI of [x, x cos(ar), x sin(ar)] with the same of y for
//   a, b in {0, .3, .6, .9}, of at most 4 coordinates a side, those with the greatest |correlation| of {x_i, r x_i} with
//   {y_j, s y_j}. Values: the greatest; at a = b = 0; their difference; the greatest at b = 0 and at a = 0; at a = b > 0;
//   means of (a, b) and (b, a).
// One product of all features with themselves gives the covariances at every pair of speeds.
#include <cmath>

#include "algebra.h"
#include "canonical.h"
#include "groups.h"

namespace mistworks {
namespace {

constexpr int SPEEDS = 4;
constexpr double STEP = 0.3;
constexpr int MOST = 4;
constexpr int POINTS_PER_COORDINATE = 16;
constexpr int LEAST_POINTS = 8;
constexpr double FEATURE_RIDGE = 1e-9;
constexpr double LEAST_VARIANCE = 1e-12;
constexpr double SECOND = 1e-6;
// x, then x cos and x sin for each speed above 0.
constexpr int BLOCKS = 2 * SPEEDS - 1;

// The first m points of the order.
struct Points {
    Sample& s;
    int m;

    // Scores of a column for `count` ≤ BLOCK points from `first` on, zeros behind the last.
    void gather(int column, int first, int count, double* out) const {
        const int32_t* ranks = s.column(column);
        for (int i = 0; i < count; ++i) out[i] = s.score[ranks[s.point(first + i)]];
        for (int i = count; i < BLOCK; ++i) out[i] = 0;
    }
};

// Standardised ‖·‖² of the columns from … to − 1 at each point.
double* norms(const Points& points, int from, int to) {
    const int m = points.m;
    double* norm = points.s.arena.zeros<double>(padded(m) + BLOCK);
    double block[BLOCK];
    for (int first = 0; first < m; first += BLOCK) {
        const int count = std::min(BLOCK, m - first);
        for (int j = from; j < to; ++j) {
            points.gather(j, first, count, block);
            for (int i = 0; i < BLOCK; ++i) norm[first + i] += block[i] * block[i];
        }
    }
    double mean = 0, variance = 0;
    for (int i = 0; i < m; ++i) mean += norm[i];
    mean /= m;
    for (int i = 0; i < m; ++i) {
        norm[i] -= mean;
        variance += norm[i] * norm[i];
    }
    const double scale = 1 / std::sqrt(std::max(variance / m, LEAST_VARIANCE));
    for (int i = 0; i < m; ++i) norm[i] *= scale;
    return norm;
}

// Sums of products of features that come block by block, and with them their covariances.
struct Moments {
    int rows, columns;
    size_t ld;
    double *products, *row_sums, *column_sums;
    Moments(Arena& arena, int rows_, int columns_)
        : rows(rows_), columns(columns_), ld(padded(columns_)), products(arena.zeros<double>(padded(rows_) * ld)),
          row_sums(arena.zeros<double>(rows_)), column_sums(arena.zeros<double>(columns_)) {}

    static void add_sums(const double* block, int rows, double* sums) {
        for (int r = 0; r < rows; ++r) {
            Doubles total = {};
            for (int i = 0; i < BLOCK; i += DOUBLES) total += load(block + r * BLOCK + i);
            sums[r] += sum(total);
        }
    }
    void add(const double* a, const double* b, int count) {
        gemm_nt(a, BLOCK, b, BLOCK, products, ld, rows, columns, padded(count), a == b);
        add_sums(a, rows, row_sums);
        if (a != b) add_sums(b, columns, column_sums);
    }
    double covariance(int i, int j, int m, const double* of_columns) const {
        return products[i * ld + j] / m - row_sums[i] / m * (of_columns[j] / m);
    }
};

// Rows z_j, then norm · z_j, of a side.
void weighted(const Points& points, const double* norm, int from, int to, int first, int count, double* out) {
    const int size = to - from;
    for (int j = 0; j < size; ++j) {
        double *z = out + j * BLOCK, *rz = out + (size + j) * BLOCK;
        points.gather(from + j, first, count, z);
        for (int i = 0; i < BLOCK; ++i) rz[i] = norm[first + i] * z[i];
    }
}

// Which `most` of `size` coordinates have the greatest strengths with the other side's.
void strongest(const double* strength, int size, size_t step, int others, size_t other_step, int most, int* kept,
               Arena& arena) {
    double* ranks = arena.get<double>(size);
    for (int i = 0; i < size; ++i) {
        double greatest = 0, square = 0;
        for (int j = 0; j < others; ++j) {
            const double v = strength[i * step + j * other_step];
            greatest = std::max(greatest, v);
            square += v * v;
        }
        ranks[i] = greatest + SECOND * square / others;
    }
    for (int k = 0; k < most; ++k) {
        kept[k] = static_cast<int>(std::max_element(ranks, ranks + size) - ranks);
        ranks[kept[k]] = -1;
    }
}

void screen(const Points& points, double* const norm[2], int x_most, int y_most, int* x_kept, int* y_kept) {
    Sample& s = points.s;
    Arena::Scope scope(s.arena);
    const int m = points.m, rows = 2 * s.dx, columns = 2 * s.dy;
    Moments moments(s.arena, rows, columns);
    double *x = s.arena.get<double>(static_cast<size_t>(rows) * BLOCK);
    double *y = s.arena.get<double>(static_cast<size_t>(columns) * BLOCK);
    double *x_square = s.arena.zeros<double>(rows), *y_square = s.arena.zeros<double>(columns);
    auto add_squares = [](const double* block, int count, double* squares) {
        for (int r = 0; r < count; ++r) {
            Doubles total = {};
            for (int i = 0; i < BLOCK; i += DOUBLES) {
                const Doubles v = load(block + static_cast<size_t>(r) * BLOCK + i);
                total += v * v;
            }
            squares[r] += sum(total);
        }
    };
    for (int first = 0; first < m; first += BLOCK) {
        const int count = std::min(BLOCK, m - first);
        weighted(points, norm[0], 0, s.dx, first, count, x);
        weighted(points, norm[1], s.dx, s.d, first, count, y);
        moments.add(x, y, count);
        add_squares(x, rows, x_square);
        add_squares(y, columns, y_square);
    }
    auto scale = [m](double square, double total) {
        const double mean = total / m;
        return 1 / std::sqrt(std::max(square / m - mean * mean, LEAST_VARIANCE));
    };
    for (int i = 0; i < rows; ++i) x_square[i] = scale(x_square[i], moments.row_sums[i]);
    for (int j = 0; j < columns; ++j) y_square[j] = scale(y_square[j], moments.column_sums[j]);
    double* strength = s.arena.zeros<double>(static_cast<size_t>(s.dx) * s.dy);
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j) {
            double& greatest = strength[(i % s.dx) * s.dy + j % s.dy];
            const double r = moments.covariance(i, j, m, moments.column_sums) * x_square[i] * y_square[j];
            greatest = std::max(greatest, std::fabs(r));
        }
    strongest(strength, s.dx, s.dy, s.dy, 1, x_most, x_kept, s.arena);
    strongest(strength, s.dy, 1, s.dx, s.dy, y_most, y_kept, s.arena);
}

// Rows of a side's features: block after block, each of `size` coordinates.
void features(const Points& points, const double* norm, const int* kept, int size, int first, int count, double* out) {
    double cosine[SPEEDS - 1][BLOCK] = {}, sine[SPEEDS - 1][BLOCK] = {};
    for (int i = 0; i < count; ++i) {
        const double c = std::cos(STEP * norm[first + i]), v = std::sin(STEP * norm[first + i]);
        double cosine_before = 1, sine_before = 0;
        for (int speed = 0; speed < SPEEDS - 1; ++speed) {
            const double next = cosine_before * c - sine_before * v;
            sine_before = sine_before * c + cosine_before * v;
            cosine_before = next;
            cosine[speed][i] = cosine_before;
            sine[speed][i] = sine_before;
        }
    }
    for (int j = 0; j < size; ++j) {
        double* z = out + j * BLOCK;
        points.gather(kept[j], first, count, z);
        for (int speed = 0; speed < SPEEDS - 1; ++speed) {
            double *by_cosine = z + (1 + 2 * speed) * size * BLOCK, *by_sine = by_cosine + size * BLOCK;
            for (int i = 0; i < BLOCK; ++i) {
                by_cosine[i] = z[i] * cosine[speed][i];
                by_sine[i] = z[i] * sine[speed][i];
            }
        }
    }
}

void fill_grid(Sample& s, double grid[SPEEDS][SPEEDS]) {
    const Points points{s, s.points};
    const int m = points.m, most = std::max(1, std::min(MOST, m / POINTS_PER_COORDINATE));
    double* const norm[2] = {norms(points, 0, s.dx), norms(points, s.dx, s.d)};
    const int p = std::min(most, s.dx), q = std::min(most, s.dy);
    int x_kept[MOST], y_kept[MOST];
    if (s.dx > most || s.dy > most)
        screen(points, norm, p, q, x_kept, y_kept);
    else {
        for (int i = 0; i < p; ++i) x_kept[i] = i;
        for (int j = 0; j < q; ++j) y_kept[j] = j;
    }
    for (int j = 0; j < q; ++j) y_kept[j] += s.dx;
    const int x_rows = BLOCKS * p, rows = BLOCKS * (p + q);
    Moments moments(s.arena, rows, rows);
    double* block = s.arena.get<double>(static_cast<size_t>(rows) * BLOCK);
    for (int first = 0; first < m; first += BLOCK) {
        const int count = std::min(BLOCK, m - first);
        features(points, norm[0], x_kept, p, first, count, block);
        features(points, norm[1], y_kept, q, first, count, block + x_rows * BLOCK);
        moments.add(block, block, count);
    }
    double* matrix = s.arena.get<double>(rows * moments.ld);
    double scale[2 * BLOCKS * MOST];
    for (int i = 0; i < rows; ++i)
        scale[i] = 1 / std::sqrt(std::max(moments.covariance(i, i, m, moments.row_sums), LEAST_VARIANCE));
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j <= i; ++j)
            matrix[i * moments.ld + j] = moments.covariance(i, j, m, moments.row_sums) * scale[i] * scale[j];
    constexpr int LARGEST = 6 * MOST;
    double pair[LARGEST * padded(LARGEST)];
    for (int a = 0; a < SPEEDS; ++a)
        for (int b = 0; b < SPEEDS; ++b) {
            int chosen[LARGEST], size = 0;
            auto choose_rows = [&](int speed, int from, int width) {
                for (int i = 0; i < width; ++i) chosen[size++] = from + i;
                for (int i = 0; speed && i < 2 * width; ++i) chosen[size++] = from + (2 * speed - 1) * width + i;
            };
            choose_rows(a, 0, p);
            const int of_x = size;
            choose_rows(b, x_rows, q);
            const size_t ld = padded(size);
            for (int i = 0; i < size; ++i) {
                for (int j = 0; j < i; ++j)
                    pair[i * ld + j] = pair[j * ld + i] = (1 - FEATURE_RIDGE) * matrix[chosen[i] * moments.ld + chosen[j]];
                for (size_t j = size; j < ld; ++j) pair[i * ld + j] = 0;
                pair[i * ld + i] = 1;
            }
            grid[a][b] = gaussian_mi(pair, of_x, size, ld, s.arena) - bias(m, of_x, size - of_x);
        }
}

}  // namespace

void rotated(Sample& s) {
    double grid[SPEEDS][SPEEDS] = {};
    if (s.n >= LEAST_POINTS) fill_grid(s, grid);
    double best = grid[0][0], of_x = grid[0][0], of_y = grid[0][0];
    for (int a = 0; a < SPEEDS; ++a) {
        of_x = std::max(of_x, grid[a][0]);
        of_y = std::max(of_y, grid[0][a]);
        for (int b = 0; b < SPEEDS; ++b) best = std::max(best, grid[a][b]);
    }
    s.put(best);
    s.put(grid[0][0]);
    s.put(best - grid[0][0]);
    s.both_sides(of_x, of_y);
    for (int a = 1; a < SPEEDS; ++a) s.put(grid[a][a]);
    for (int a = 1; a < SPEEDS; ++a)
        for (int b = a + 1; b < SPEEDS; ++b) s.put((grid[a][b] + grid[b][a]) / 2);
}

}  // namespace mistworks
