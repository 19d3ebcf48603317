// What is the same for all variants: which of them this processor runs, and what this library was built from.

#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

phiforge_team phiforge_start_team = nullptr;
int (*phiforge_member)() = nullptr;

// The hash of the sources (build.py), the compiler, and the variants in here, best first, separated by spaces.
PHIFORGE_EXPORT const char* phiforge_source() { return PHIFORGE_SOURCE; }
PHIFORGE_EXPORT const char* phiforge_compiler() { return __VERSION__; }
PHIFORGE_EXPORT const char* phiforge_variants() { return PHIFORGE_VARIANTS; }

PHIFORGE_EXPORT void phiforge_use_team(void* start, void* member) {
    phiforge_start_team = reinterpret_cast<phiforge_team>(start);
    phiforge_member = reinterpret_cast<int (*)()>(member);
}

namespace {

bool same(const char* a, const char* b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

struct Scratch {
    void* data = nullptr;
    int64_t bytes = 0;
    ~Scratch() { free(data); }
};
thread_local Scratch scratch;

}  // namespace

void* phiforge_scratch(int64_t bytes) {
    if (bytes > scratch.bytes) {
        free(scratch.data);
        scratch.bytes = (bytes + bytes / 4 + 4095) / 64 * 64;
        if (posix_memalign(&scratch.data, 64, static_cast<size_t>(scratch.bytes))) {
            fprintf(stderr, "phiforge: no memory for %lld bytes of activations\n", static_cast<long long>(bytes));
            abort();
        }
    }
    return scratch.data;
}

// Whether this processor, under this system, runs the variant. What the compiler's builtins check includes that the
// system saves the wide registers.
PHIFORGE_EXPORT int phiforge_runs(const char* variant) {
    if (same(variant, "generic")) return 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    // F16C has no name that all compilers know, and every processor with AVX2 has it.
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (same(variant, "avx2")) return avx2;
    if (same(variant, "avx512vnni"))
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    if (same(variant, "neon")) {
#if defined(__linux__)
        return (getauxval(AT_HWCAP) & (1ul << 20)) != 0;  // HWCAP_ASIMDDP: the dot product instructions
#else
        return 1;  // every Apple processor that runs macOS has them
#endif
    }
#endif
    return 0;
}
