// Rows of activations rounded to integers, as the quantised products take them.
#pragma once

#include "vec.h"

namespace {

constexpr float SMALLEST = 0x1p-100f;  // a group whose largest value is below counts as zeros: 127 / it could overflow

// WIDTH integers stored as Q, which holds them. (GCC narrows vectors one lane at a time.)
template <class Q>
inline void store_narrow(Q* to, vi v) {
#if defined(PHIFORGE_AVX2)
    __m256i pairs = _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)v, (__m256i)v), 0x08);
    __m128i words = _mm256_castsi256_si128(pairs);
    if (sizeof(Q) == 1) words = _mm_packs_epi16(words, words);
    __builtin_memcpy(to, &words, WIDTH * sizeof(Q));
#else
    typedef Q Narrowed __attribute__((vector_size(WIDTH * sizeof(Q))));
    Narrowed narrow = __builtin_convertvector(v, Narrowed);
    __builtin_memcpy(to, &narrow, sizeof narrow);
#endif
}

// q[i] = x[i] / scale, rounded to the nearest (ties to even), |q| <= 127; zeros from k to `padded`, a multiple of 4. The
// scale is the largest magnitude / 127. A value that is not finite makes the scale NaN, and so the row's outputs. `total`
// becomes the sum of q.
template <class Q>
inline float quantise(const float* x, int64_t k, int64_t padded, Q* q, int32_t* total) {
    vi largest_bits = {};  // as integers, the bits of magnitudes sort like the values, infinity and then NaN above all
    for (int64_t i = 0; i < k; i += WIDTH) {
        vi bits = (vi)read(x + i, k - i) & 0x7fffffff;
        largest_bits = bits > largest_bits ? bits : largest_bits;
    }
    int32_t most = 0;
    for (int i = 0; i < WIDTH; i++) most = largest_bits[i] > most ? largest_bits[i] : most;
    float magnitude;
    __builtin_memcpy(&magnitude, &most, 4);
    bool finite = most < 0x7f800000, zero = magnitude < SMALLEST;
    float inverse = finite && !zero ? 127 / magnitude : 0;
    // Adding 1.5 * 2^23 leaves the rounded integer in a float's low bits.
    vf factor = splat(inverse), shift = splat(0x1.8p23f);
    vi sums = {};
    int64_t i = 0;
    if (finite) {
        for (; i + WIDTH <= k; i += WIDTH) {
            vi rounded = (vi)(load(x + i) * factor + shift) - 0x4b400000;
            store_narrow(q + i, rounded);
            sums += rounded;
        }
    }
    for (; i < padded; i++) {
        vi rounded = (vi)(splat(finite && i < k ? x[i] : 0) * factor + shift) - 0x4b400000;
        q[i] = static_cast<Q>(rounded[0]);
        sums[0] += rounded[0];
    }
    *total = 0;
    for (int lane = 0; lane < WIDTH; lane++) *total += sums[lane];
    return !finite ? __builtin_nanf("") : zero ? 0 : magnitude / 127;
}

// A row, group by group: integers, and for each group its scale, and what `sum` makes of the integers' sum and the scale.
template <class Q, class Sum>
inline void quantise_row(const float* x, int64_t k, int64_t group, Q* q, float* scales, float* sums, Sum sum) {
    for (int64_t g = 0, start = 0; start < k; g++, start += group) {
        int64_t count = k - start < group ? k - start : group, padded = (count + 3) / 4 * 4;
        int32_t total;
        scales[g] = quantise(x + start, count, padded, q + start, &total);
        sums[g] = sum(static_cast<float>(total), scales[g]);
    }
}

}  // namespace
