// Vectors of floats as wide as the variant's registers, on the compilers' own vector types: + - * / and comparisons
// work as they are. `fma` is spelled out, as the sources are compiled with -ffp-contract=off: a row's result must not
// depend on how the compiler arranged the loop that it was in.
#pragma once

#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // the intrinsics' own headers raise it (GCC 12)
#endif

#if defined(PHIFORGE_SIMDE)  // a test build: AVX-512 in plain code (tests/kernels_check.cpp)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#define PHIFORGE_AVX512 1
#elif defined(__AVX512VNNI__)
#include <immintrin.h>
#define PHIFORGE_AVX512 1
#elif defined(__AVX2__)
#include <immintrin.h>
#define PHIFORGE_AVX2 1
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#define PHIFORGE_NEON 1
#endif

namespace {

#if defined(PHIFORGE_AVX512)
constexpr int WIDTH = 16;  // floats in a vector
#elif defined(PHIFORGE_AVX2)
constexpr int WIDTH = 8;
#else
constexpr int WIDTH = 4;
#endif

typedef float vf __attribute__((vector_size(WIDTH * 4)));
typedef int32_t vi __attribute__((vector_size(WIDTH * 4)));

inline vf load(const float* p) {
    vf v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

inline void store(float* p, vf v) { __builtin_memcpy(p, &v, sizeof v); }

inline vf splat(float x) { return x - vf{}; }  // x in every lane; x - 0 is x, its sign included

inline vf to_float(vi v) { return __builtin_convertvector(v, vf); }

// a * b + c, rounded once where the processor can (generic: twice).
inline vf fma(vf a, vf b, vf c) {
#if defined(PHIFORGE_AVX512)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(PHIFORGE_AVX2)
    return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
    vf r = c;
    __asm__("fmla %0.4s, %1.4s, %2.4s" : "+w"(r) : "w"(a), "w"(b));
    return r;
#else
    return a * b + c;
#endif
}

// WIDTH floats from bf16: the upper half of a float.
inline vf load_bf16(const uint16_t* p) {
    typedef uint16_t vs __attribute__((vector_size(WIDTH * 2)));
    vs s;
    __builtin_memcpy(&s, p, sizeof s);
    return (vf)(__builtin_convertvector(s, vi) << 16);
}

// WIDTH floats as bf16, rounded to the nearest, ties to even; NaN stays NaN.
inline void store_bf16(uint16_t* p, vf v) {
    typedef uint16_t vs __attribute__((vector_size(WIDTH * 2)));
    vi bits = (vi)v, nan = (bits & 0x7fffffff) > 0x7f800000;
    vi rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    vs narrow = __builtin_convertvector((nan & 0x7fc0) | (~nan & rounded), vs);
    __builtin_memcpy(p, &narrow, sizeof narrow);
}

// bf16 as a type of its own, and WIDTH values of it or of fp32.
struct Bf16 {
    uint16_t bits;
};

inline vf get(const float* p) { return load(p); }
inline vf get(const Bf16* p) { return load_bf16(&p->bits); }
inline void put(float* p, vf v) { store(p, v); }
inline void put(Bf16* p, vf v) { store_bf16(&p->bits, v); }

// WIDTH values from p, of which `left` exist; zeros for the rest.
template <class E>
inline vf read(const E* p, int64_t left) {
    if (left >= WIDTH) return get(p);
    E some[WIDTH] = {};
    for (int64_t i = 0; i < left; i++) some[i] = p[i];
    return get(some);
}

// WIDTH floats from fp16.
inline vf load_f16(const uint16_t* p) {
#if defined(PHIFORGE_SIMDE)  // which lacks the wide conversion
    __m256 halves[2] = {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)),
                        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + 8)))};
    return load((const float*)halves);
#elif defined(PHIFORGE_AVX512)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p));
#elif defined(PHIFORGE_AVX2)
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
#elif defined(__aarch64__)
    typedef __fp16 vh __attribute__((vector_size(8)));
    vh h;
    __builtin_memcpy(&h, p, sizeof h);
    return __builtin_convertvector(h, vf);
#else
    // The exponent's bias moves by a multiplication, which is exact, subnormals included; infinity stays infinite.
    typedef uint16_t vs __attribute__((vector_size(8)));
    vs s;
    __builtin_memcpy(&s, p, sizeof s);
    vi bits = __builtin_convertvector(s, vi);
    vi magnitude = (bits & 0x7fff) << 13;
    vi special = (bits & 0x7c00) == 0x7c00;
    vf value = (vf)magnitude * 0x1p112f;
    vi result = (special & (magnitude | 0x7f800000)) | (~special & (vi)value);
    return (vf)(result | (bits & 0x8000) << 16);
#endif
}

inline float sum(vf v) {
    float total = 0;
    for (int i = 0; i < WIDTH; i++) total += v[i];
    return total;
}

inline float largest(vf v) {
    float most = v[0];
    for (int i = 1; i < WIDTH; i++) most = v[i] > most ? v[i] : most;
    return most;
}

inline vf larger(vf a, vf b) { return a > b ? a : b; }

}  // namespace
