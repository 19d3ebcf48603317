// What this machine can do at most, for bench/kernels.py: bytes read from memory, and multiply-adds in fp32.

#include "kernels.h"
#include "vec.h"

PHIFORGE_EXPORT void KERNEL(read_memory)(const uint8_t* data, int64_t bytes, float* out, int64_t threads) {
    constexpr int64_t PART = 1 << 20;
    int64_t parts = bytes / PART;
    parallel(threads, parts, [&](int64_t part) {
        const float* p = reinterpret_cast<const float*>(data + part * PART);
        vi seen[8] = {};  // four streams: one alone leaves bandwidth unused on some processors
        for (int64_t i = 0; i < PART / 16; i += 2 * WIDTH)
            for (int c = 0; c < 8; c++) seen[c] ^= (vi)load(p + c / 2 * (PART / 16) + i + c % 2 * WIDTH);
        for (int c = 1; c < 8; c++) seen[0] ^= seen[c];
        out[part] = sum(to_float(seen[0]));
    });
}

// `rounds` times 12 chains of WIDTH multiply-adds, on each of `threads` threads. out has room for one float a thread.
PHIFORGE_EXPORT void KERNEL(multiply_add)(int64_t rounds, float* out, int64_t threads) {
    parallel(threads, threads, [&](int64_t part) {
        vf total[12];
        for (int c = 0; c < 12; c++) total[c] = splat(static_cast<float>(c));
        vf factor = splat(0.999f), term = splat(0.001f);
        for (int64_t i = 0; i < rounds; i++)
            for (int c = 0; c < 12; c++) total[c] = fma(total[c], factor, term);
        for (int c = 1; c < 12; c++) total[0] += total[c];
        out[part] = sum(total[0]);
    });
}
