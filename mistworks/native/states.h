// States of columns and sides, their entropies and what chance makes of a table of them; formulas as in
// mistworks/statistics/discrete.py. All in nats.
#pragma once
#include "sample.h"

namespace mistworks {

// Different values: a code 0, …, count − 1 of each point, and how many points have each.
struct States {
    int32_t* codes;
    int32_t* counts;
    int count;
};

struct Entropies {
    double plug_in, miller_madow, chao_shen;
};

// Counts that differ, in ascending order, and how many states have each.
struct Distinct {
    int32_t *value, *times;
    int size;
};

// How many different values column j has.
int distinct_values(const Sample& s, int j);
// The most that a column among from … to − 1 has.
int most_distinct(const Sample& s, int from, int to);
// States of one column of half ranks, or jointly of the columns from … to − 1.
States states_of_column(Sample& s, const int32_t* half_ranks);
States states_of_side(Sample& s, int from, int to);
// How many points have each pair of codes; `codes` is null.
States joint_states(Sample& s, const States& x, const States& y);

Entropies entropies(const States& states, int n);
Distinct distinct_counts(Sample& s, const States& states);
// Counts above 63 to six binary digits, and at most n − 1, so that few of them differ.
Distinct rounded(Sample& s, const Distinct& given);
// What chance makes of cells of rounded counts, computed once.
struct Cells {
    int side;
    double* of;
    explicit Cells(Sample& s);
};
// Expected plug-in MI under random pairing (Vinh, Epps, Bailey 2010); with `cells`, of rounded counts.
double permuted_mi(Sample& s, Distinct x, Distinct y, Cells* cells = nullptr);
// The adjusted MI's denominator is at least this.
inline double headroom(double least, double chance) { return std::max(least - chance, 1e-3 + 0.02 * least); }

}  // namespace mistworks
