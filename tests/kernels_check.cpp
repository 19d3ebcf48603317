// The products of one variant against plain loops, bit for bit: exact sums leave nothing to chance, and fp32 steps are
// in one order everywhere. Built by test_kernels_build.py together with linear.cpp and dispatch.cpp of the same
// variant: for this processor, for another under qemu, for AVX-512 through SIMDe, and under sanitizers.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thread>
#include <vector>

#include "../phiforge/kernels/src/kernels.h"

namespace {

uint64_t state = 1;
int failures = 0;

uint32_t draw() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
}

float draw_float() { return static_cast<float>(static_cast<int32_t>(draw() % 20001) - 10000) / 5000; }

float half_to_float(uint16_t h) {
    int exponent = h >> 10 & 31;
    float value = exponent ? ldexpf(static_cast<float>(1024 + (h & 1023)), exponent - 25) : ldexpf(static_cast<float>(h & 1023), -24);
    return h >> 15 ? -value : value;
}

float bf16_to_float(uint16_t b) {
    uint32_t bits = static_cast<uint32_t>(b) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// One rounding where the variant has the instruction; generic code has none.
float step(float a, float b, float c) {
#if defined(CHECK_UNFUSED)
    volatile float product = a * b;
    return product + c;
#else
    return fmaf(a, b, c);
#endif
}

struct Row {
    std::vector<int> q;
    std::vector<float> factors;  // of each group
};

Row round_row(const float* x, int64_t k, int64_t group) {
    Row row;
    for (int64_t start = 0; start < k; start += group) {
        int64_t end = start + group < k ? start + group : k;
        float most = 0;
        for (int64_t i = start; i < end; i++) most = fmaxf(most, fabsf(x[i]));
        float inverse = most >= 0x1p-100f ? 127 / most : 0;
        row.factors.push_back(inverse != 0 ? most / 127 : 0);
        for (int64_t i = start; i < end; i++) row.q.push_back(static_cast<int>(nearbyintf(x[i] * inverse)));
    }
    return row;
}

enum Extreme { RANDOM, LARGEST, SMALLEST };

// A product m x k x n of every kind; x with a stride, and out with guards around what may be written.
void check(const char* kind, int64_t m, int64_t k, int64_t n, int64_t group, Extreme extreme, bool add, int64_t threads) {
    int64_t blocks = (n + 15) / 16, padded = (k + 3) / 4 * 4, x_stride = k + 3, out_stride = n + 5;
    bool int8 = !strcmp(kind, "int8"), int4 = !strcmp(kind, "int4");
    std::vector<float> x(static_cast<size_t>(m * x_stride)), out(static_cast<size_t>(m * out_stride)), scales8(blocks * 16);
    for (auto& v : x) v = extreme == RANDOM ? draw_float() : extreme == LARGEST ? 1.f : -1.f;
    for (auto& v : out) v = draw_float();
    std::vector<float> before = out;
    std::vector<int> q(static_cast<size_t>(blocks * 16 * padded));  // [n][padded]
    for (int64_t i = 0; i < blocks * 16; i++)
        for (int64_t j = 0; j < k; j++)
            q[i * padded + j] = extreme != RANDOM ? (int4 ? 15 : i % 2 ? 127 : -127)
                                : int4            ? static_cast<int>(draw() % 16)
                                                  : static_cast<int>(draw() % 255) - 127;
    std::vector<int8_t> data8(int8 ? q.size() : 0);
    std::vector<uint8_t> data4(int4 ? q.size() / 2 : 0);
    std::vector<uint16_t> scales4(int4 ? blocks * (k / group) * 32 : 0), data16(!int8 && !int4 ? blocks * 16 * k : 0);
    for (auto& s : scales8) s = draw_float();
    for (auto& s : scales4) s = static_cast<uint16_t>(draw() % 0x7c00 | (draw() % 2) << 15);  // finite, subnormals too
    for (auto& w : data16) w = static_cast<uint16_t>(0x3f00 + draw() % 0x100 + (draw() % 2) * 0x8000);
    for (int64_t i = 0; i < blocks * 16; i++)
        for (int64_t j = 0; j < padded; j++) {
            int64_t block = i / 16, lane = i % 16;
            if (int8) data8[((block * padded / 4 + j / 4) * 16 + lane) * 4 + j % 4] = static_cast<int8_t>(q[i * padded + j]);
            if (int4) {
                uint8_t* byte = &data4[((block * k / 8 + j / 8) * 16 + lane) * 4 + j % 4];
                *byte = static_cast<uint8_t>(*byte | q[i * padded + j] << (j % 8 / 4 * 4));
            }
        }
    const void* data = int8 ? static_cast<void*>(data8.data()) : int4 ? static_cast<void*>(data4.data()) : data16.data();
    const void* scales = int8 ? static_cast<void*>(scales8.data()) : int4 ? scales4.data() : nullptr;
    LinearCall call = {x.data(), m, k, x_stride, data, scales, group, n, out.data(), out_stride, add, threads};
    (int8 ? KERNEL(linear_int8) : int4 ? KERNEL(linear_int4) : KERNEL(linear_bf16))(&call);
    int wrong = 0;
    for (int64_t row = 0; row < m; row++) {
        Row a = round_row(x.data() + row * x_stride, k, int4 ? group : 64);
        for (int64_t i = 0; i < out_stride; i++) {
            float was = before[row * out_stride + i], got = out[row * out_stride + i], value = 0;
            if (i < n && int8) {
                for (int64_t g = 0; g * 64 < k; g++) {
                    int dot = 0;
                    for (int64_t j = g * 64; j < k && j < (g + 1) * 64; j++) dot += a.q[j] * q[i * padded + j];
                    value = step(static_cast<float>(dot), a.factors[g], value);
                }
                value *= scales8[i];
            } else if (i < n && int4) {
                for (int64_t g = 0; g < k / group; g++) {
                    int dot = 0, sum = 0;
                    for (int64_t j = g * group; j < (g + 1) * group; j++) dot += a.q[j] * q[i * padded + j], sum += a.q[j];
                    const uint16_t* pair = &scales4[((i / 16 * (k / group) + g) * 2) * 16 + i % 16];
                    value = step(static_cast<float>(dot) * a.factors[g], half_to_float(pair[0]), value);
                    value = step(static_cast<float>(sum) * a.factors[g], half_to_float(pair[16]), value);
                }
            } else if (i < n) {
                for (int64_t j = 0; j < k; j++)
                    value = step(x[row * x_stride + j], bf16_to_float(data16[(i / 16 * k + j) * 16 + i % 16]), value);
            }
            float expected = i >= n ? was : add ? was + value : value;
            if (memcmp(&expected, &got, 4) && expected != got && wrong++ < 3)
                printf("%s m=%ld k=%ld n=%ld group=%ld: [%ld, %ld] is %.9g, not %.9g\n", kind, long(m), long(k), long(n),
                       long(group), long(row), long(i), got, expected);
        }
    }
    failures += wrong != 0;
}

thread_local int number = 0;  // of this thread in its team
int member() { return number; }

void team(void (*run)(void*), void* data, unsigned threads, unsigned) {
    std::vector<std::thread> others;
    for (unsigned i = 1; i < threads; i++)
        others.emplace_back([=] {
            number = static_cast<int>(i);
            run(data);
        });
    run(data);
    for (auto& other : others) other.join();
}

}  // namespace

extern "C" void phiforge_use_team(void* start, void* member);
extern "C" int phiforge_runs(const char* variant);

int main() {
    phiforge_use_team(reinterpret_cast<void*>(&team), reinterpret_cast<void*>(&member));
    int checks = 0;
    for (int64_t m : {1, 2, 3, 4, 5, 7, 8, 9, 13, 33})
        for (int64_t n : {1, 15, 16, 17, 48, 200})
            for (int64_t k : {64, 192}) {
                bool add = (m + n) % 2;
                int64_t threads = m % 3 + 1;
                check("int4", m, k, n, 32, RANDOM, add, threads);
                check("int4", m, k, n, 64, RANDOM, add, threads);
                check("int8", m, k - 61, n, 0, RANDOM, add, threads);
                check("int8", m, k, n, 0, RANDOM, add, threads);
                check("bf16", m, k - 61, n, 0, RANDOM, add, threads);
                checks += 5;
            }
    for (Extreme extreme : {LARGEST, SMALLEST})
        for (int64_t m : {1, 2, 8}) {
            check("int8", m, 8192, 32, 0, extreme, false, 2);
            check("int4", m, 8192, 32, 32, extreme, false, 2);
            check("int4", m, 8192, 32, 64, extreme, false, 2);
            checks += 3;
        }
    check("int4", 530, 64, 1040, 32, RANDOM, false, 3);  // more than a pass of rows, enough for several tasks
    check("int8", 530, 64, 1040, 0, RANDOM, true, 3);
    check("bf16", 530, 64, 1040, 0, RANDOM, false, 3);
    check("bf16", 1, 640, 1040, 0, RANDOM, false, 3);
    printf("%d of %d products differ\n", failures, checks + 4);
    return failures ? 1 : 0;
}
