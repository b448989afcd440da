// Half ranks of columns of numbers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace mistworks {

// 2 (rank − 1) with ties averaged, 0 … 2n − 2, of each of `columns` columns of n values, column after column. None may
// be NaN; −0 equals 0.
void half_ranks(const double* values, int n, int columns, int32_t* out);
void half_ranks(const float* values, int n, int columns, int32_t* out);
void half_ranks(const int64_t* values, int n, int columns, int32_t* out);
void half_ranks(const uint64_t* values, int n, int columns, int32_t* out);

}  // namespace mistworks
