// The two products of attention: queries with keys, and weights with values, as they lie in blocks of 16 tokens.
//
// Each sum goes over its terms in order, in one lane, however many rows and vectors are computed at once.
#pragma once

#include "vec.h"

namespace {

constexpr int BLOCK = 16;  // tokens
constexpr int STEP = 8;    // blocks that are scored before their values are added

// Rows and vectors that the registers hold in one product.
#if defined(PHIFORGE_AVX512)
constexpr int ROWS = 12, VECTORS = 2;
#elif defined(PHIFORGE_AVX2)
constexpr int ROWS = 6, VECTORS = 2;
#elif defined(__aarch64__)
constexpr int ROWS = 6, VECTORS = 4;
#else
constexpr int ROWS = 3, VECTORS = 4;
#endif

struct bf16 {
    uint16_t bits;
};

inline vf load_as(const float* p) { return load(p); }

// The compilers' own conversions of these take one lane at a time. (SIMDe lacks the wide ones.)
inline vf load_as(const bf16* p) {
#if defined(PHIFORGE_AVX512) && !defined(PHIFORGE_SIMDE)
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16);
#elif defined(PHIFORGE_AVX2)
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16);
#else
    return load_bf16(&p->bits);
#endif
}

inline vf load_as(const int8_t* p) {
#if defined(PHIFORGE_AVX512) && !defined(PHIFORGE_SIMDE)
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
#elif defined(PHIFORGE_AVX2)
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#else
    typedef int8_t vb __attribute__((vector_size(WIDTH)));
    vb b;
    __builtin_memcpy(&b, p, sizeof b);
    return __builtin_convertvector(__builtin_convertvector(b, vi), vf);
#endif
}

// Scores of M query rows q [M, D] with N vectors of keys; of each, a coordinate's keys are BLOCK apart.
template <int M, int N, class E>
inline void score(const float* q, int64_t D, const E* const* keys, float* out) {
    vf total[M][N] = {};
    const E* k[N];
    for (int n = 0; n < N; n++) k[n] = keys[n];
    for (int64_t d = 0; d < D; d++) {
        vf key[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) key[n] = load_as(k[n] + d * BLOCK);
#pragma GCC unroll 16
        for (int m = 0; m < M; m++) {
            vf x = splat(q[m * D + d]);
#pragma GCC unroll 8
            for (int n = 0; n < N; n++) total[m][n] = fma(x, key[n], total[m][n]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; m++)
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) store(out + m * STEP * BLOCK + n * WIDTH, total[m][n]);
}

// Adds weights [M, n_keys] times N vectors of the values, rows `stride` apart, to out [M, out_stride].
template <int M, int N, class E>
inline void weigh(const float* weights, const E* const* blocks, int64_t offset, int64_t stride, int64_t n_keys,
                  float* out, int64_t out_stride) {
    vf total[M][N];
#pragma GCC unroll 16
    for (int m = 0; m < M; m++)
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) total[m][n] = load(out + m * out_stride + n * WIDTH);
    for (int64_t start = 0; start < n_keys; start += BLOCK) {
        const E* v = blocks[start / BLOCK] + offset;
        int64_t end = n_keys - start < BLOCK ? n_keys - start : BLOCK;
        for (int64_t i = 0; i < end; i++) {
            vf value[N];
#pragma GCC unroll 8
            for (int n = 0; n < N; n++) value[n] = load_as(v + i * stride + n * WIDTH);
#pragma GCC unroll 16
            for (int m = 0; m < M; m++) {
                vf w = splat(weights[m * STEP * BLOCK + start + i]);
#pragma GCC unroll 8
                for (int n = 0; n < N; n++) total[m][n] = fma(w, value[n], total[m][n]);
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; m++)
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) store(out + m * out_stride + n * WIDTH, total[m][n]);
}

// Few rows take more vectors at once, so that enough sums are under way to hide a multiply-add's latency.
template <int M>
constexpr int vectors() {
    return 2 * M <= ROWS ? 2 * VECTORS : VECTORS;
}

// The next smaller number of rows that there is code for.
template <int M>
constexpr int fewer() {
    return M == 12 ? 8 : M == 8 ? 6 : M == 6 ? 4 : M - 1;
}

// Scores of `rows` query rows, M at a time and the rest fewer at a time.
template <int M, class E>
void score_rows(int rows, const float* q, int64_t D, const E* const* keys, int n_blocks, float* out) {
    if (rows >= M) {
        constexpr int N = vectors<M>(), PER_BLOCK = BLOCK / WIDTH;
        const E* at[STEP * PER_BLOCK];
        const int n = n_blocks * PER_BLOCK;
        for (int v = 0; v < n; v++) at[v] = keys[v / PER_BLOCK] + v % PER_BLOCK * WIDTH;
        for (; rows >= M; rows -= M, q += M * D, out += M * STEP * BLOCK) {
            int i = 0;
            for (; i + N <= n; i += N) score<M, N>(q, D, at + i, out + i * WIDTH);
            for (; i + VECTORS <= n; i += VECTORS) score<M, VECTORS>(q, D, at + i, out + i * WIDTH);
            for (; i < n; i++) score<M, 1>(q, D, at + i, out + i * WIDTH);
        }
    }
    if constexpr (M > 1) {
        if (rows) score_rows<fewer<M>()>(rows, q, D, keys, n_blocks, out);
    }
}

template <int M, class E>
void weigh_rows(int rows, const float* weights, const E* const* blocks, int64_t width, int64_t n_keys, float* out) {
    constexpr int N = vectors<M>();
    for (; rows >= M; rows -= M, weights += M * STEP * BLOCK, out += M * width) {
        int64_t i = 0;
        for (; i + N * WIDTH <= width; i += N * WIDTH) weigh<M, N>(weights, blocks, i, width, n_keys, out + i, width);
        for (; i + VECTORS * WIDTH <= width; i += VECTORS * WIDTH)
            weigh<M, VECTORS>(weights, blocks, i, width, n_keys, out + i, width);
        for (; i < width; i += WIDTH) weigh<M, 1>(weights, blocks, i, width, n_keys, out + i, width);
    }
    if constexpr (M > 1) {
        if (rows) weigh_rows<fewer<M>()>(rows, weights, blocks, width, n_keys, out);
    }
}

}  // namespace
