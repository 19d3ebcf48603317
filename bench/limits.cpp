// Loops that do one thing only, for limits.py: read memory, multiply and add in fp32, multiply in int8.
// The arithmetic loops keep eight independent sums: two a cycle with a latency of four cycles.
#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#define KEPT(s) asm volatile("" : "+x"(s))  // computed, as far as the compiler knows, for a reason
#else
#include <arm_neon.h>
#define KEPT(s) asm volatile("" : "+w"(s))
#endif

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif
typedef float Floats __attribute__((vector_size(BYTES)));
typedef int64_t Words __attribute__((vector_size(BYTES)));

#define EIGHT(STEP) STEP(s0) STEP(s1) STEP(s2) STEP(s3) STEP(s4) STEP(s5) STEP(s6) STEP(s7)

extern "C" {

// Read `bytes`, a multiple of 8 vectors; what comes back only keeps the reads from being left out.
int64_t read_bytes(const char* data, int64_t bytes) {
    Words s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
    const Words* words = reinterpret_cast<const Words*>(data);
    const Words* end = words + bytes / BYTES;
#define STEP(s) s += *words++;
    while (words < end) {
        EIGHT(STEP)
    }
#undef STEP
    return (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)[0];
}

// Multiply and add, `rounds` times; returns how many operations that was.
int64_t float_operations(int64_t rounds) {
    Floats a = Floats{} + 0.999f, b = Floats{} + 0.001f;
    Floats s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
#define STEP(s) s = s * a + b; KEPT(s);
    for (int64_t i = 0; i < rounds; ++i) {
        EIGHT(STEP)
    }
#undef STEP
    return rounds * 8 * (BYTES / 4) * 2;
}

// The same for products of int8 by the instructions a kernel would use; 0 where none are known here.
int64_t int8_operations(int64_t rounds) {
#if defined(__AVX512VNNI__)
    __m512i a = _mm512_set1_epi8(3), s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
#define STEP(s) s = _mm512_dpbusd_epi32(s, a, a); KEPT(s);
#elif defined(__AVXVNNI__)
    __m256i a = _mm256_set1_epi8(3), s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
#define STEP(s) s = _mm256_dpbusd_avx_epi32(s, a, a); KEPT(s);
#elif defined(__AVX2__)
    // Sums stay in int16, as within a small group; the widening that must follow is left out.
    __m256i a = _mm256_set1_epi8(3), s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
#define STEP(s) s = _mm256_add_epi16(s, _mm256_maddubs_epi16(a, a)); KEPT(s); KEPT(a);
#elif defined(__ARM_FEATURE_DOTPROD)
    int8x16_t a = vdupq_n_s8(3);
    int32x4_t s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{};
#define STEP(s) s = vdotq_s32(s, a, a); KEPT(s);
#else
    return 0;
#endif
#ifdef STEP
    for (int64_t i = 0; i < rounds; ++i) {
        EIGHT(STEP)
    }
    return rounds * 8 * BYTES * 2;
#endif
}
}
