// Powers, as vectors. Within 2e-7 of the true value, relative; NaN stays NaN.
#pragma once

#include "vec.h"

namespace {

// 2^x = fraction * 2^exponent with the fraction in 0.7 .. 1.42. x is held within +-2^20.
struct Power {
    vf fraction;
    vi exponent;
};

// 2^f for f in -0.5 .. 0.5: the polynomial of least relative error of degree 6, 2e-9 before rounding.
inline vf power_of_fraction(vf f) {
    vf p = splat(0x1.41d332p-13f);
    p = fma(p, f, splat(0x1.5f456ap-10f));
    p = fma(p, f, splat(0x1.3b2dbcp-7f));
    p = fma(p, f, splat(0x1.c6aed4p-5f));
    p = fma(p, f, splat(0x1.ebfbdap-3f));
    p = fma(p, f, splat(0x1.62e430p-1f));
    return fma(p, f, splat(1.0f));
}

// Adding this rounds a float to an integer, which then stands in the lowest bits.
constexpr float ROUNDER = 0x1.8p23f;

inline Power power_of_two(vf x) {
    x = x < splat(-0x1p20f) ? splat(-0x1p20f) : x;
    x = x > splat(0x1p20f) ? splat(0x1p20f) : x;
    vf shifted = x + splat(ROUNDER);
    vi exponent = (vi)shifted - (vi)splat(ROUNDER);
    return {power_of_fraction(x - (shifted - splat(ROUNDER))), exponent};
}

// value * 2^exponent for exponents of at most 127; 0 where the factor is too small for a normal float.
inline vf times_power(vf value, vi exponent) {
    vi factor = ((exponent + 127) << 23) & (exponent > -127);
    return value * (vf)factor;
}

// e^x, 0 below -87.3 and infinite above 88.7.
inline vf exp(vf x) {
    x = x < splat(-100.0f) ? splat(-100.0f) : x;
    x = x > splat(89.0f) ? splat(89.0f) : x;
    vf shifted = fma(x, splat(0x1.715476p0f), splat(ROUNDER));
    vi exponent = (vi)shifted - (vi)splat(ROUNDER);
    vf n = shifted - splat(ROUNDER);
    vf r = x - n * splat(0x1.63p-1f);  // ln 2 in two parts; the first product is exact
    r = r + n * splat(0x1.bd0106p-13f);
    return times_power(power_of_fraction(r * splat(0x1.715476p0f)), exponent);
}

}  // namespace
