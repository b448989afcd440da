// The statistics by group, in their order.
#pragma once
#include "sample.h"

namespace mistworks {

struct Group {
    const char* group;
    const char* statistic;
    int count;
    void (*append)(Sample&);
};

extern const Group GROUPS[];
extern const int GROUP_COUNT;
// How many statistics there are.
int statistic_count();

// All statistics of a sample from its half ranks (d, n), X first, into `out`; finite.
void summarise(const int32_t* half_ranks, int n, int dx, int d, float* out);

// Half ranks 0, 2, …, 2n − 2 with ties broken (d, n).
void untied(const int32_t* half_ranks, int n, int dx, int d, int32_t* out);

void sizes(Sample&);
void ties(Sample&);
void discrete(Sample&);
void pairs(Sample&);
void shrunk(Sample&);
void spectra(Sample&);
void correlations(Sample&);
void canonical(Sample&);
void matched(Sample&);
void thresholded(Sample&);
void rotated(Sample&);
void factor_models(Sample&);
void t_copula(Sample&);
void radii(Sample&);
void squares(Sample&);
void polynomials(Sample&);
void nearest(Sample&);
void metric(Sample&);
void corrected(Sample&);
void monotone(Sample&);
void unshrunk(Sample&);
void planes(Sample&);
void classes(Sample&);

}  // namespace mistworks
