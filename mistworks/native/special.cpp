// Special functions: digamma and trigamma by recurrence and asymptotic series (Abramowitz, Stegun 6.3.18, 6.4.12);
// normal quantiles by AS 241 (Wichura, "The percentage points of the normal distribution", 1988); Student-t
// quantiles by a differential equation.
#include "special.h"

#include <algorithm>

namespace mistworks {

double digamma(double x) {
    double below = 0;
    while (x < 10) {
        below -= 1 / x;
        x += 1;
    }
    const double f = 1 / (x * x);
    const double series =
        f * (1. / 12 - f * (1. / 120 - f * (1. / 252 - f * (1. / 240 - f * (1. / 132 - f * 691. / 32760)))));
    return below + std::log(x) - 0.5 / x - series;
}

double trigamma(double x) {
    double below = 0;
    while (x < 12) {
        below += 1 / (x * x);
        x += 1;
    }
    const double f = 1 / (x * x);
    return below + 1 / x + f / 2 + f / x * (1. / 6 - f * (1. / 30 - f * (1. / 42 - f * (1. / 30 - f * 5. / 66))));
}

namespace {
struct PsiTable {
    std::array<double, PSI_TABLE> of;
    PsiTable() : of() {
        of[0] = -1e300;
        of[1] = -0.57721566490153286061;
        for (int k = 1; k + 1 < PSI_TABLE; ++k) of[k + 1] = of[k] + 1.0 / k;
    }
};
}  // namespace

double psi(int count) {
    static const PsiTable table;
    return table.of[count];
}

double normal_quantile_upper(double p) {
    const double q = p - 0.5;
    if (q <= 0.425) {
        const double r = .180625 - q * q;
        const double above =
            ((((((r * 2509.0809287301226727 + 33430.575583588128105) * r + 67265.770927008700853) * r +
                45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r +
             133.14166789178437745) * r + 3.387132872796366608;
        const double below =
            ((((((r * 5226.495278852545925 + 28729.085735721942674) * r + 39307.89580009271061) * r +
                21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r +
             42.313330701600911252) * r + 1.;
        return q * above / below;
    }
    double r = std::sqrt(-std::log(1 - p));
    if (r <= 5.) {
        r -= 1.6;
        const double above =
            ((((((r * 7.7454501427834140764e-4 + .0227238449892691845833) * r + .24178072517745061177) * r +
                1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r +
             4.6303378461565452959) * r + 1.42343711074968357734;
        const double below =
            ((((((r * 1.05075007164441684324e-9 + 5.475938084995344946e-4) * r + .0151986665636164571966) * r +
                .14810397642748007459) * r + .68976733498510000455) * r + 1.6763848301838038494) * r +
             2.05319162663775882187) * r + 1.;
        return above / below;
    }
    r -= 5.;
    const double above =
        ((((((r * 2.01033439929228813265e-7 + 2.71155556874348757815e-5) * r + .0012426609473880784386) * r +
            .026532189526576123093) * r + .29656057182850489123) * r + 1.7848265399172913358) * r +
         5.4637849111641143699) * r + 6.6579046435011037772;
    const double below =
        ((((((r * 2.04426310338993978564e-15 + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r +
            7.868691311456132591e-4) * r + .0148753612908506148525) * r + .13692988092273580531) * r +
         .59983220655588793769) * r + 1.;
    return above / below;
}

namespace {

// With t = sinh a and equal tails, φ(z) dz = f_ν(t) dt, so that da/dz = φ(z) / (f_ν(sinh a) cosh a). Integrated
// from z = 10 inwards by Runge and Kutta's fourth order: an error of the tail's mass there is nothing against the
// mass at z ≤ 6, so that the leading term P(T > t) ≈ f_ν(t) t / ν is enough to begin with.
struct Curve {
    double nu, log_constant;

    explicit Curve(double nu_)
        : nu(nu_),
          log_constant(std::lgamma((nu_ + 1) / 2) - std::lgamma(nu_ / 2) - 0.5 * std::log(nu_ * PI)) {}

    double log_density(double t) const { return log_constant - 0.5 * (nu + 1) * std::log1p(t * t / nu); }

    double slope(double z, double a) const {
        const double log_normal = -0.5 * z * z - 0.5 * std::log(2 * PI);
        return std::exp(log_normal - log_density(std::sinh(a))) / std::cosh(a);
    }

    double start(double z) const {
        // log Φ(−z) by its asymptotic series.
        const double f = 1 / (z * z);
        const double target =
            -0.5 * z * z - std::log(z) - 0.5 * std::log(2 * PI) + std::log1p(-f * (1 - f * (3 - f * (15 - 105 * f))));
        double low = 0, high = 100;
        for (int i = 0; i < 100; ++i) {
            const double a = 0.5 * (low + high), t = std::sinh(a);
            (log_density(t) + std::log(t / nu) > target ? low : high) = a;
        }
        return 0.5 * (low + high);
    }
};

StudentCurves integrated() {
    StudentCurves made;
    constexpr int grid = StudentCurves::GRID, outer = 2001;
    const double step = StudentCurves::FARTHEST / (grid - 1);
    for (int k = 0; k < STUDENTS; ++k) {
        const Curve curve(DEGREES_OF_FREEDOM[k]);
        double a = curve.start(step * (outer - 1));
        for (int i = outer - 1; i > 0; --i) {
            if (i < grid) made.curve[k][i] = a;
            const double z = step * i, h = -step;
            const double s1 = curve.slope(z, a), s2 = curve.slope(z + h / 2, a + h / 2 * s1),
                         s3 = curve.slope(z + h / 2, a + h / 2 * s2), s4 = curve.slope(z + h, a + h * s3);
            a += h / 6 * (s1 + 2 * s2 + 2 * s3 + s4);
        }
        made.curve[k][0] = 0;
    }
    return made;
}

}  // namespace

const StudentCurves& student_curves() {
    static const StudentCurves curves = integrated();
    return curves;
}

}  // namespace mistworks
