// What several groups of statistics need of a sample: quantile tables, correlations, spectrum, subset.
#include "sample.h"

#include <cmath>

#include "algebra.h"
#include "hash.h"
#include "radix.h"

namespace mistworks {
namespace {

// Distinct values of each column. Half ranks of different values differ.
void count_ties(Sample& s) {
    s.tied_shares = s.arena.get<double>(s.d);
    s.tied = false;
    Arena::Scope scope(s.arena);
    const size_t words = (2 * static_cast<size_t>(s.n) + 63) / 64;
    uint64_t* seen = s.arena.get<uint64_t>(words);
    for (int j = 0; j < s.d; ++j) {
        std::fill(seen, seen + words, 0);
        const int32_t* r = s.exact_column(j);
        for (int i = 0; i < s.n; ++i) seen[r[i] >> 6] |= uint64_t(1) << (r[i] & 63);
        int distinct = 0;
        for (size_t w = 0; w < words; ++w) distinct += __builtin_popcountll(seen[w]);
        s.tied_shares[j] = 1.0 - static_cast<double>(distinct) / s.n;
        s.tied |= distinct < s.n;
    }
}

void tabulate(Sample& s) {
    const int n = s.n;
    s.score = s.arena.get<double>(n);
    s.students = s.arena.zeros<double>(static_cast<size_t>(STUDENT_ROW) * n);
    const StudentCurves& curves = student_curves();
    double tails[STUDENTS] = {}, variance = 0;
    for (int r = n / 2; r < n; ++r) {
        const int mirrored = n - 1 - r;
        const bool middle = r == mirrored;
        const double z = middle ? 0.0 : normal_quantile_upper((r + 1.0) / (n + 1.0));
        s.score[r] = z;
        s.score[mirrored] = -z;
        variance += (middle ? 1 : 2) * z * z;
        const double place = std::min(z, StudentCurves::FARTHEST) * ((StudentCurves::GRID - 1) / StudentCurves::FARTHEST);
        const int cell = std::min(static_cast<int>(place), StudentCurves::GRID - 2);
        for (int k = 0; k < STUDENTS; ++k) {
            const double* curve = curves.curve[k].data() + cell;
            const double up = std::exp(curve[0] + (place - cell) * (curve[1] - curve[0]));
            const double t = middle ? 0.0 : 0.5 * (up - 1 / up);
            s.students[static_cast<size_t>(STUDENT_ROW) * r + k] = t;
            s.students[static_cast<size_t>(STUDENT_ROW) * mirrored + k] = -t;
            tails[k] += (middle ? 1 : 2) * std::log1p(t * t / DEGREES_OF_FREEDOM[k]);
        }
    }
    for (int k = 0; k < STUDENTS; ++k) s.log_tail[k] = tails[k] / n;
    // In single precision, as in sample.py.
    const double scale = 1 / std::sqrt(static_cast<double>(static_cast<float>(variance / n)));
    for (int r = 0; r < n; ++r) s.score[r] *= scale;
}

void correlate(Sample& s) {
    s.ld = padded(s.d);
    s.correlation = s.arena.zeros<double>(s.ld * s.d);
    Arena::Scope scope(s.arena);
    double* block = s.arena.get<double>(static_cast<size_t>(s.d) * BLOCK);
    for (int first = 0; first < s.n; first += BLOCK) {
        const int count = std::min(BLOCK, s.n - first);
        gather(s, s.score, first, count, block);
        gemm_nt(block, BLOCK, block, BLOCK, s.correlation, s.ld, s.d, s.d, padded(count), true);
    }
    // Variances are 1 but for single precision, which would hide correlations that are nearly 1.
    double* scale = s.arena.get<double>(s.d);
    for (int i = 0; i < s.d; ++i) scale[i] = 1 / std::sqrt(std::max(s.correlation[i * s.ld + i], 1e-300));
    for (int i = 0; i < s.d; ++i)
        for (int j = 0; j <= i; ++j) {
            double& r = s.correlation[i * s.ld + j];
            r = i == j ? 1.0 : scale[i] * r * scale[j];
        }
    mirror(s.correlation, s.d, s.ld);
}

void decompose(Sample& s) {
    Spectrum& spectrum = s.spectrum;
    spectrum.all = s.arena.get<double>(s.d);
    spectrum.of_x = s.arena.get<double>(s.dx);
    spectrum.of_y = s.arena.get<double>(s.dy);
    spectrum.diagonal = s.arena.get<double>(s.d);
    spectrum.off = s.arena.get<double>(s.d);
    spectrum.taus = s.arena.get<double>(s.d);
    spectrum.reflectors = s.arena.get<double>(s.ld * s.d);
    Arena::Scope scope(s.arena);
    double *work = s.arena.get<double>(s.d), *off = s.arena.get<double>(s.d);
    std::copy(s.correlation, s.correlation + s.ld * s.d, spectrum.reflectors);
    tridiagonal(spectrum.reflectors, s.d, s.ld, spectrum.diagonal, spectrum.off, spectrum.taus, work);
    std::copy(spectrum.diagonal, spectrum.diagonal + s.d, spectrum.all);
    std::copy(spectrum.off, spectrum.off + s.d, off);
    eigenvalues(spectrum.all, off, s.d);
    for (int side = 0; side < 2; ++side) {
        const int size = side ? s.dy : s.dx;
        const size_t ld = padded(size);
        double* block = s.arena.zeros<double>(ld * size);
        copy_block(s.correlation, s.ld, side ? s.dx : 0, size, block, ld);
        symmetric_eigenvalues(block, size, ld, side ? spectrum.of_y : spectrum.of_x, s.arena);
    }
}

// The first points by hash(Σ hash(folded half rank)), as signed numbers.
void order_by_hash(Sample& s) {
    const int n = s.n;
    s.queries = std::min(n, SUBSET);
    s.points = std::min(n, POINTS);
    s.order = nullptr;
    if (n <= SUBSET) return;
    s.order = s.arena.get<int32_t>(s.points);
    Arena::Scope scope(s.arena);
    uint64_t* keys = s.arena.zeros<uint64_t>(n);
    for (int j = 0; j < s.d; ++j) {
        const int32_t* r = s.column(j);
        for (int i = 0; i < n; ++i) keys[i] += hashed(2 * static_cast<uint64_t>(std::min(r[i], n - 1 - r[i])));
    }
    uint32_t* rows = s.arena.get<uint32_t>(n);
    for (int i = 0; i < n; ++i) {
        keys[i] = hashed(keys[i]) ^ uint64_t(1) << 63;
        rows[i] = static_cast<uint32_t>(i);
    }
    // Of many, only those are sorted that come first.
    if (n > s.points) {
        std::nth_element(rows, rows + s.points, rows + n, [keys](uint32_t a, uint32_t b) {
            return keys[a] < keys[b] || (keys[a] == keys[b] && a < b);
        });
        std::sort(rows, rows + s.points);
    }
    sort_rows(keys, rows, s.points, s.arena.get<Entry>(2 * static_cast<size_t>(s.points)));
    for (int i = 0; i < s.points; ++i) s.order[i] = static_cast<int32_t>(rows[i]);
}

}  // namespace

void gather(const Sample& s, const double* table, int first, int count, double* out) {
    for (int j = 0; j < s.d; ++j) {
        const int32_t* r = s.column(j) + first;
        double* to = out + static_cast<size_t>(j) * BLOCK;
        const int last = s.n - first - 1;
        for (int i = 0; i < count; ++i) {
            __builtin_prefetch(table + r[std::min(i + AHEAD, last)]);
            to[i] = table[r[i]];
        }
        for (int i = count; i < BLOCK; ++i) to[i] = 0;
    }
}

void prepare_ranks(Sample& s) {
    s.stride = (static_cast<size_t>(s.n) + 15) & ~size_t(15);
    count_ties(s);
    s.rank = s.arena.get<int32_t>(s.stride * s.d);
    untie(s);
}

void prepare(Sample& s) {
    prepare_ranks(s);
    tabulate(s);
    correlate(s);
    decompose(s);
    order_by_hash(s);
    s.has_plane_totals = false;
    s.divergence = s.arena.zeros<double>(static_cast<size_t>(s.dx) * s.dy);
}

}  // namespace mistworks
