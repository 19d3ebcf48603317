// The inner loops of the quantised products: R rows times B blocks of 16 outputs, exact in integers. All variants, all R and
// all B give the same bits: integer sums are exact, and the fp32 steps between groups are the same in the same order.
//
//   dot_int8<R, B>: tile[b R + r][lane] = scale[lane] * sum over groups g of x.scales[r][g] * sum of q[lane] x.q[r]
//   dot_int4<R>: tile[r][lane] = sum over groups g of scale[lane][g] * x.scales[r][g] * sum of q[lane] x.q[r]
//                                                   + minimum[lane][g] * x.sums[r][g]
#pragma once

#include "vec.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

namespace {

constexpr int QUADS = 16;  // of a group of int8: 64 inputs

// Rows of quantised activations, `stride` elements apart; a scale and a sum for each group of inputs.
template <class Q>
struct Rows {
    const Q* q;
    int64_t stride;
    const float* scales;
    const float* sums;  // int8: of the integers, times -128; int4: of the activations
    int64_t groups;
};

constexpr int LANES = 16;
constexpr int PARTS = LANES / WIDTH;  // vectors of floats that hold a block's outputs

inline int32_t quad(const int8_t* p) {
    int32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}

#if defined(PHIFORGE_AVX512)

typedef int8_t Narrow;  // the type of activations in int8 products
constexpr int INT8_ROWS = 8, INT8_BLOCKS = 2, INT4_ROWS = 8;  // two blocks share what is read of the rows

// total += products of four pairs a lane, w unsigned. GCC would copy the totals of an unrolled loop there and back.
inline void add_quads(__m512i& total, __m512i w, __m512i x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(w), "v"(x));
}

// vpdpbusd wants one operand unsigned: weights get 128 added, which the row's sum takes off again.
template <int R, int B>
inline void dot_int8(const int8_t* data, const float* scale, int64_t quads, const Rows<Narrow>& x, int64_t row,
                     float (*tile)[LANES]) {
    __m512i flip = _mm512_set1_epi8(-128);
    const Narrow* q = x.q + row * x.stride;
    vf out[B][R] = {};
    for (int64_t g = 0, i = 0; i < quads; g++) {
        __m512i total[B][R];
        UNROLL for (int r = 0; r < R; r++) {
            __m512i start = _mm512_cvtps_epi32(_mm512_set1_ps(x.sums[(row + r) * x.groups + g]));
            UNROLL for (int b = 0; b < B; b++) total[b][r] = start;
        }
        int64_t end = i + QUADS < quads ? i + QUADS : quads;
        for (; i < end; i++) {
            __m512i w[B];
            UNROLL for (int b = 0; b < B; b++)
                w[b] = _mm512_xor_si512(_mm512_loadu_si512(data + (b * quads + i) * 64), flip);
            UNROLL for (int r = 0; r < R; r++) {
                __m512i four = _mm512_set1_epi32(quad(q + r * x.stride + i * 4));
                UNROLL for (int b = 0; b < B; b++) add_quads(total[b][r], w[b], four);
            }
        }
        UNROLL for (int r = 0; r < R; r++) {
            vf step = splat(x.scales[(row + r) * x.groups + g]);
            UNROLL for (int b = 0; b < B; b++) out[b][r] = fma(to_float((vi)total[b][r]), step, out[b][r]);
        }
    }
    UNROLL for (int b = 0; b < B; b++)
        UNROLL for (int r = 0; r < R; r++) store(tile[b * R + r], out[b][r] * load(scale + b * LANES));
}

template <int R>
inline void dot_int4(const uint8_t* data, const uint16_t* scales, int64_t group, const Rows<int8_t>& x, int64_t row,
                     float (*tile)[LANES]) {
    const int8_t* q = x.q + row * x.stride;
    __m512i low = _mm512_set1_epi8(15);
    vf out[R] = {};
    for (int64_t g = 0; g < x.groups; g++, data += group * 8, scales += 32, q += group) {
        __m512i even[R], odd[R];  // two chains, as a single row would wait for each addition
        UNROLL for (int r = 0; r < R; r++) even[r] = odd[r] = _mm512_setzero_si512();
        for (int64_t j = 0; j < group / 8; j++) {
            __m512i line = _mm512_loadu_si512(data + j * 64);
            __m512i first = _mm512_and_si512(line, low), second = _mm512_and_si512(_mm512_srli_epi16(line, 4), low);
            UNROLL for (int r = 0; r < R; r++) {
                add_quads(even[r], first, _mm512_set1_epi32(quad(q + r * x.stride + j * 8)));
                add_quads(odd[r], second, _mm512_set1_epi32(quad(q + r * x.stride + j * 8 + 4)));
            }
        }
        vf scale = load_f16(scales), minimum = load_f16(scales + LANES);
        UNROLL for (int r = 0; r < R; r++) {
            int64_t at = (row + r) * x.groups + g;
            vf dot = to_float((vi)_mm512_add_epi32(even[r], odd[r])) * splat(x.scales[at]);
            out[r] = fma(splat(x.sums[at]), minimum, fma(dot, scale, out[r]));
        }
    }
    UNROLL for (int r = 0; r < R; r++) store(tile[r], out[r]);
}

#elif defined(PHIFORGE_AVX2)

typedef int16_t Narrow;
constexpr int INT8_ROWS = 2, INT8_BLOCKS = 1, INT4_ROWS = 4;
constexpr int AHEAD = 1024;  // bytes of weights fetched before a single row needs them

// total += term, here and now: GCC would sum the terms of an unrolled loop in another order and run out of registers.
#define ADD(suffix, total, term)                      \
    do {                                              \
        total = _mm256_add_##suffix(total, term);     \
        __asm__("" : "+x"(total));                    \
    } while (0)

// vpmaddwd on widened weights. vpmaddubsw would saturate: a pair reaches 2 * 127 * 127.
template <int R, int B>  // of one block
inline void dot_int8(const int8_t* data, const float* scale, int64_t quads, const Rows<Narrow>& x, int64_t row,
                     float (*tile)[LANES]) {
    const Narrow* q = x.q + row * x.stride;
    vf out[R][2] = {};
    for (int64_t g = 0, i = 0; i < quads; g++) {
        __m256i total[R][4];  // of four lanes each, two sums a lane
        UNROLL for (int r = 0; r < R; r++)
            UNROLL for (int c = 0; c < 4; c++) total[r][c] = _mm256_setzero_si256();
        int64_t end = i + QUADS < quads ? i + QUADS : quads;
        for (; i < end; i++, data += 64, q += 4) {
            __m256i activation[R];
            UNROLL for (int r = 0; r < R; r++) {
                int64_t four;
                __builtin_memcpy(&four, q + r * x.stride, 8);
                activation[r] = _mm256_set1_epi64x(four);
            }
            UNROLL for (int c = 0; c < 4; c++) {
                __m256i w = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)(data + c * 16)));
                UNROLL for (int r = 0; r < R; r++)
                    ADD(epi32, total[r][c], _mm256_madd_epi16(w, activation[r]));
            }
        }
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int h = 0; h < 2; h++) {
            // hadd pairs within halves of 128 bits: lanes 0 1 4 5 | 2 3 6 7
            __m256i sums = _mm256_hadd_epi32(total[r][2 * h], total[r][2 * h + 1]);
            sums = _mm256_permute4x64_epi64(sums, 0xd8);
            out[r][h] = fma(_mm256_cvtepi32_ps(sums), splat(x.scales[(row + r) * x.groups + g]), out[r][h]);
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int h = 0; h < 2; h++) store(tile[r] + 8 * h, out[r][h] * load(scale + 8 * h));
}

// vpmaddubsw adds pairs to at most 15 * 127 * 2; eight of them, a run of 32 inputs, fit 16 bits.
template <int R>
inline void dot_int4(const uint8_t* data, const uint16_t* scales, int64_t group, const Rows<int8_t>& x, int64_t row,
                     float (*tile)[LANES]) {
    const int8_t* q = x.q + row * x.stride;
    __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    vf out[R][2] = {};
    for (int64_t g = 0; g < x.groups; g++, scales += 32) {
        __m256i dots[R][2];
        for (int64_t run = 0; run < group; run += 32, data += 256, q += 32) {
            __m256i total[R][2];
            UNROLL for (int r = 0; r < R; r++) total[r][0] = total[r][1] = _mm256_setzero_si256();
            for (int j = 0; j < 4; j++) {
                if (R == 1) __builtin_prefetch(data + j * 64 + AHEAD);
                __m256i a = _mm256_loadu_si256((const __m256i*)(data + j * 64));
                __m256i b = _mm256_loadu_si256((const __m256i*)(data + j * 64 + 32));
                __m256i a0 = _mm256_and_si256(a, low), b0 = _mm256_and_si256(b, low);
                UNROLL for (int r = 0; r < R; r++) {
                    __m256i four = _mm256_set1_epi32(quad(q + r * x.stride + j * 8));
                    ADD(epi16, total[r][0], _mm256_maddubs_epi16(a0, four));
                    ADD(epi16, total[r][1], _mm256_maddubs_epi16(b0, four));
                }
                __m256i a1 = _mm256_and_si256(_mm256_srli_epi16(a, 4), low);
                __m256i b1 = _mm256_and_si256(_mm256_srli_epi16(b, 4), low);
                UNROLL for (int r = 0; r < R; r++) {
                    __m256i four = _mm256_set1_epi32(quad(q + r * x.stride + j * 8 + 4));
                    ADD(epi16, total[r][0], _mm256_maddubs_epi16(a1, four));
                    ADD(epi16, total[r][1], _mm256_maddubs_epi16(b1, four));
                }
            }
            UNROLL for (int r = 0; r < R; r++) UNROLL for (int h = 0; h < 2; h++) {
                __m256i wide = _mm256_madd_epi16(total[r][h], ones);
                dots[r][h] = run ? _mm256_add_epi32(dots[r][h], wide) : wide;
            }
        }
        UNROLL for (int h = 0; h < 2; h++) {
            vf scale = load_f16(scales + 8 * h), minimum = load_f16(scales + LANES + 8 * h);
            UNROLL for (int r = 0; r < R; r++) {
                int64_t at = (row + r) * x.groups + g;
                vf dot = _mm256_cvtepi32_ps(dots[r][h]) * splat(x.scales[at]);
                out[r][h] = fma(splat(x.sums[at]), minimum, fma(dot, scale, out[r][h]));
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int h = 0; h < 2; h++) store(tile[r] + 8 * h, out[r][h]);
}

#else  // NEON's dot products, or plain code with the same meaning

typedef int8_t Narrow;

#if defined(PHIFORGE_NEON)
constexpr int INT8_ROWS = 4, INT8_BLOCKS = 1, INT4_ROWS = 4;
typedef int8x16_t Quads;  // four lanes' next four inputs each
inline Quads load_quads(const void* p) { return vld1q_s8((const int8_t*)p); }
inline Quads low_half(Quads v) { return vandq_s8(v, vdupq_n_s8(15)); }
inline Quads high_half(Quads v) { return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(v), 4)); }
inline vi dot(vi total, Quads w, int32_t x) {
    return (vi)vdotq_s32((int32x4_t)total, w, vreinterpretq_s8_s32(vdupq_n_s32(x)));
}
#else
constexpr int INT8_ROWS = 2, INT8_BLOCKS = 1, INT4_ROWS = 2;
typedef int8_t Quads __attribute__((vector_size(16)));
inline Quads load_quads(const void* p) {
    Quads v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
inline Quads low_half(Quads v) { return v & 15; }
inline Quads high_half(Quads v) { return (v >> 4) & 15; }
inline vi dot(vi total, Quads w, int32_t x) {
    typedef int32_t Four __attribute__((vector_size(16)));
    Four words = (Four)w;  // a word is a lane's four inputs, the first in its lowest byte
    for (int b = 0; b < 4; b++) total += (words << (24 - 8 * b) >> 24) * (int32_t)(int8_t)(x >> 8 * b);
    return total;
}
#endif

template <int R, int B>  // of one block
inline void dot_int8(const int8_t* data, const float* scale, int64_t quads, const Rows<Narrow>& x, int64_t row,
                     float (*tile)[LANES]) {
    const Narrow* q = x.q + row * x.stride;
    vf out[R][4] = {};
    for (int64_t g = 0, i = 0; i < quads; g++) {
        vi total[R][4] = {};
        int64_t end = i + QUADS < quads ? i + QUADS : quads;
        for (; i < end; i++) {
            Quads w[4];
            UNROLL for (int c = 0; c < 4; c++) w[c] = load_quads(data + i * 64 + c * 16);
            UNROLL for (int r = 0; r < R; r++) {
                int32_t activation = quad(q + r * x.stride + i * 4);
                UNROLL for (int c = 0; c < 4; c++) total[r][c] = dot(total[r][c], w[c], activation);
            }
        }
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int c = 0; c < 4; c++)
            out[r][c] = fma(to_float(total[r][c]), splat(x.scales[(row + r) * x.groups + g]), out[r][c]);
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int c = 0; c < 4; c++) store(tile[r] + 4 * c, out[r][c] * load(scale + 4 * c));
}

template <int R>
inline void dot_int4(const uint8_t* data, const uint16_t* scales, int64_t group, const Rows<int8_t>& x, int64_t row,
                     float (*tile)[LANES]) {
    const int8_t* q = x.q + row * x.stride;
    vf out[R][4] = {};
    for (int64_t g = 0; g < x.groups; g++, data += group * 8, scales += 32, q += group) {
        vi total[R][4] = {};
        for (int64_t j = 0; j < group / 8; j++) {
            UNROLL for (int c = 0; c < 4; c++) {
                Quads w = load_quads(data + j * 64 + c * 16), first = low_half(w), second = high_half(w);
                UNROLL for (int r = 0; r < R; r++) {
                    total[r][c] = dot(total[r][c], first, quad(q + r * x.stride + j * 8));
                    total[r][c] = dot(total[r][c], second, quad(q + r * x.stride + j * 8 + 4));
                }
            }
        }
        UNROLL for (int c = 0; c < 4; c++) {
            vf scale = load_f16(scales + 4 * c), minimum = load_f16(scales + LANES + 4 * c);
            UNROLL for (int r = 0; r < R; r++) {
                int64_t at = (row + r) * x.groups + g;
                vf dot = to_float(total[r][c]) * splat(x.scales[at]);
                out[r][c] = fma(splat(x.sums[at]), minimum, fma(dot, scale, out[r][c]));
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int c = 0; c < 4; c++) store(tile[r] + 4 * c, out[r][c]);
}

#endif

constexpr int BF16_ROWS = WIDTH == 16 ? 8 : 4;

// R rows of floats times B blocks. Each output is one chain of additions in the order of k; a single row takes several
// blocks, as its few chains would wait for each other.
template <int R, int B>
inline void dot_bf16(const uint16_t* data, int64_t k, const float* x, int64_t stride, float (*tile)[LANES]) {
    vf total[R * B][PARTS] = {};
    for (int64_t i = 0; i < k; i++) {
        vf activation[R];
        UNROLL for (int r = 0; r < R; r++) activation[r] = splat(x[r * stride + i]);
        UNROLL for (int b = 0; b < B; b++) {
            vf w[PARTS];
            const uint16_t* line = data + (b * k + i) * LANES;
#if defined(PHIFORGE_AVX2)  // even lanes, then odd ones: cheaper than widening in order
            __m256i all = _mm256_loadu_si256((const __m256i*)line);
            w[0] = (vf)_mm256_slli_epi32(all, 16);
            w[1] = (vf)_mm256_and_si256(all, _mm256_set1_epi32(-65536));
#else
            UNROLL for (int p = 0; p < PARTS; p++) w[p] = load_bf16(line + p * WIDTH);
#endif
            UNROLL for (int r = 0; r < R; r++) UNROLL for (int p = 0; p < PARTS; p++)
                total[r * B + b][p] = fma(activation[r], w[p], total[r * B + b][p]);
        }
    }
    for (int i = 0; i < R * B; i++) {
#if defined(PHIFORGE_AVX2)
        for (int lane = 0; lane < LANES; lane++) tile[i][lane] = total[i][lane % 2][lane / 2];
#else
        for (int p = 0; p < PARTS; p++) store(tile[i] + p * WIDTH, total[i][p]);
#endif
    }
}

}  // namespace
