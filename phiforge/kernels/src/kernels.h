// What every kernel source shares: the list of kernels, how a name gets its variant's suffix, and the threads.
//
// A source is compiled once for each instruction set ("variant"), with PHIFORGE_VARIANT set to its name. To add a
// kernel, add a line to PHIFORGE_KERNELS and define `void KERNEL(name)(...)` in any source of this folder; Python calls
// it through `native.kernel(name, argument types)`.
//
// Code in these sources lives in anonymous namespaces, and uses no inline functions of the standard library: the linker
// would keep one copy of such a function for all variants, perhaps the one this processor cannot run.
#pragma once

#include <stdint.h>

#define PHIFORGE_EXPORT extern "C" __attribute__((visibility("default")))
#define PHIFORGE_JOIN_(name, variant) phiforge_##name##_##variant
#define PHIFORGE_JOIN(name, variant) PHIFORGE_JOIN_(name, variant)
#define KERNEL(name) PHIFORGE_JOIN(name, PHIFORGE_VARIANT)

// A product out = x W^T, in one piece: ctypes takes longer over a dozen arguments than a small product takes.
// linear.py packs it, field by field.
struct LinearCall {
    const float* x;  // [m, k], rows `x_stride` apart
    int64_t m, k, x_stride;
    const void* data;    // W [n, k] as formats.py lays it out
    const void* scales;  // null for bf16
    int64_t group, n;    // group: 0 but for int4
    float* out;          // [m, n], rows `out_stride` apart
    int64_t out_stride, add, threads;  // add: to what is in out
};

// K(name, (arguments)). Sizes and strides count elements. `threads` is the most threads to use.
#define PHIFORGE_LINEAR_KERNELS(K)                                             \
    K(linear_int8, (const LinearCall* call))                                   \
    K(linear_int4, (const LinearCall* call))                                   \
    K(linear_bf16, (const LinearCall* call))                                   \
    K(read_memory, (const uint8_t* data, int64_t bytes, float* out, int64_t threads)) \
    K(multiply_add, (int64_t rounds, float* out, int64_t threads))

#if __has_include("attention.h")
#include "attention.h"  // PHIFORGE_ATTENTION_KERNELS(K)
#else
#define PHIFORGE_ATTENTION_KERNELS(K)
#endif

#include "training.h"  // PHIFORGE_TRAINING_KERNELS(K)

#define PHIFORGE_KERNELS(K) PHIFORGE_LINEAR_KERNELS(K) PHIFORGE_ATTENTION_KERNELS(K) PHIFORGE_TRAINING_KERNELS(K)

#ifdef PHIFORGE_VARIANT
#define PHIFORGE_DECLARE(name, arguments) PHIFORGE_EXPORT void KERNEL(name) arguments;
PHIFORGE_KERNELS(PHIFORGE_DECLARE)
#endif

// Starts `run(data)` on up to `threads` threads and waits for all: GOMP_parallel of the OpenMP runtime that torch has
// loaded, so that the process has one pool of threads. Null where there is none. Set by native.py (dispatch.cpp).
typedef void (*phiforge_team)(void (*run)(void*), void* data, unsigned threads, unsigned flags);
extern "C" __attribute__((visibility("hidden"))) phiforge_team phiforge_start_team;
extern "C" __attribute__((visibility("hidden"))) int (*phiforge_member)();  // this thread's number in its team

// Memory of the calling thread, aligned to 64 bytes: valid until the thread asks again, and kept for the next call.
extern "C" __attribute__((visibility("hidden"))) void* phiforge_scratch(int64_t bytes);

namespace {

// body(part) for every part in 0 .. parts-1, each once, on up to `threads` threads. A thread has a share of its own, the
// same for the same parts, so that what one call leaves in a core's cache the next finds there: another core's lines take
// ten times as long. When done, it helps the others, as cores may differ in speed. Parts should take some microseconds;
// starting threads costs about two.
template <class Body>
void parallel(int64_t threads, int64_t parts, const Body& body) {
    constexpr int64_t MOST = 256;
    struct Work {
        const Body* body;
        int64_t parts, threads;
        struct alignas(64) {
            int64_t next;
        } share[MOST];
        int64_t end(int64_t thread) const { return parts * (thread + 1) / threads; }
    };
    if (threads > parts) threads = parts;
    if (threads > MOST) threads = MOST;
    if (threads <= 1 || !phiforge_start_team) {
        for (int64_t part = 0; part < parts; part++) body(part);
        return;
    }
    Work work;
    work.body = &body, work.parts = parts, work.threads = threads;
    for (int64_t t = 0; t < threads; t++) work.share[t].next = parts * t / threads;
    phiforge_start_team(
        [](void* data) {
            Work* work = static_cast<Work*>(data);
            int64_t own = phiforge_member();
            for (int64_t i = 0; i < work->threads; i++) {
                int64_t t = (own + i) % work->threads;
                for (;;) {
                    int64_t part = __atomic_fetch_add(&work->share[t].next, 1, __ATOMIC_RELAXED);
                    if (part >= work->end(t)) break;
                    (*work->body)(part);
                }
            }
        },
        &work, static_cast<unsigned>(threads), 0);
}

constexpr int64_t PART = 1 << 12;  // elements that are worth a thread of their own

// body(row) for all rows, `dim` elements each.
template <class Body>
void by_rows(int64_t threads, int64_t rows, int64_t dim, const Body& body) {
    int64_t step = PART / dim + 1;
    parallel(threads, (rows + step - 1) / step, [&](int64_t part) {
        int64_t end = (part + 1) * step < rows ? (part + 1) * step : rows;
        for (int64_t row = part * step; row < end; row++) body(row);
    });
}

}  // namespace
