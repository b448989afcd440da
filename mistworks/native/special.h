// Special functions that neither C++ nor its library has.
#pragma once
#include <array>
#include <cmath>

namespace mistworks {

constexpr double PI = 3.14159265358979323846;
constexpr int STUDENTS = 5;
// Candidates ν of the t copula, as in `mistworks.statistics.sample`.
constexpr double DEGREES_OF_FREEDOM[STUDENTS] = {20.0, 9.0, 4.5, 2.3, 1.2};
// Whole numbers whose ψ is tabulated.
constexpr int PSI_TABLE = 16384 + 8;

double digamma(double x);   // x > 0
double trigamma(double x);  // x > 0
// ψ(k) of a count, 1 ≤ k < PSI_TABLE.
double psi(int count);
// Φ⁻¹(p) for ½ ≤ p < 1.
double normal_quantile_upper(double p);

// arsinh t_ν⁻¹(Φ(z)) on an even grid of z from 0 to 6 for each ν of DEGREES_OF_FREEDOM.
struct StudentCurves {
    static constexpr int GRID = 1201;
    static constexpr double FARTHEST = 6.0;
    std::array<std::array<double, GRID>, STUDENTS> curve;
};
const StudentCurves& student_curves();

// sign(v) log(1 + |v|)
inline double signed_log(double v) { return v < 0 ? -std::log1p(-v) : std::log1p(v); }

}  // namespace mistworks
