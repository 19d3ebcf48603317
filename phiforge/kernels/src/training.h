// What training does between its products, and with their gradients (training.cpp): gradients.py, head.py, adamw.py and
// switchback.py pass the arguments one by one.
#pragma once

#include <stdint.h>

// Attention of documents end to end (packed.cpp): T tokens, of which document i has [starts[i], starts[i + 1]) and sees document
// leaders[i] besides, which comes first in its family. Family f has the documents [firsts[f], firsts[f + 1]).
struct PackedCall {
    const void *qk, *v;  // [T, heads + groups, dim] rotated, [T, groups, dim]; bf16 if `narrow`, else fp32, as all void*
    const int64_t *starts, *leaders, *firsts;
    int64_t documents, families, heads, groups, dim, narrow;
    float* logs;         // [T, heads]: log of the sum of the exponentials; written forward, read backward
    void* out;           // [T, heads, dim]
    const void* slope;   // [T, heads, dim]: of out
    void *of_qk, *of_v;  // [T, heads + groups, dim], and [T, groups, dim] with rows of_v_stride apart
    int64_t of_v_stride, threads;
};

#define PHIFORGE_TRAINING_KERNELS(K)                                                                                       \
    K(round_rows, (const void* x, int64_t rows, int64_t dim, int8_t* q, float* scales, int64_t narrow, int64_t threads))   \
    K(round_columns, (const void* x, int64_t rows, int64_t dim, int8_t* q, float* scales, int64_t narrow,                  \
                      int64_t threads))                                                                                    \
    K(add_scaled, (const int32_t* product, int64_t rows, int64_t dim, const float* row_scales, const float* column_scales, \
                   void* out, int64_t fresh, int64_t narrow, int64_t threads))                                             \
    K(gate, (const void* x, int64_t rows, int64_t dim, void* out, int64_t narrow, int64_t threads))                        \
    K(gate_slope, (const void* x, const void* slope, int64_t rows, int64_t dim, void* of_x, void* gated,                   \
                   int64_t narrow, int64_t threads))                                                                       \
    K(norm, (const void* x, const void* weight, int64_t rows, int64_t dim, double eps, void* out, float* factors,          \
             int64_t narrow, int64_t threads))                                                                             \
    K(norm_slope, (const void* x, const void* weight, const float* factors, const void* slope, int64_t rows,               \
                   int64_t dim, void* of_x, int64_t narrow, int64_t threads))                                              \
    K(norm_weight_slope, (const void* x, const float* factors, const void* slope, int64_t rows, int64_t dim,               \
                          float* of_weight, int64_t narrow, int64_t threads))                                              \
    K(turn, (const void* x, const void* cos, const void* sin, int64_t rows, int64_t stride, int64_t heads, int64_t dim,    \
             int64_t half, int64_t back, void* out, int64_t out_stride, int64_t narrow, int64_t threads))                  \
    K(row_logs, (const void* x, int64_t rows, int64_t dim, float* logs, float* entropies, int64_t narrow,                  \
                 int64_t threads))                                                                                         \
    K(row_slopes, (void* x, int64_t rows, int64_t dim, const int64_t* labels, const float* logs,                           \
                   const float* entropies, const float* of_labels, const float* of_all, const float* of_entropies,         \
                   int64_t narrow, int64_t threads))                                                                       \
    K(narrow_adamw, (uint16_t* weight, uint16_t* mean, uint16_t* square, const uint16_t* slope, const int32_t* chance,     \
                     int64_t n, double fast, double slow, double shrink, double rate, double spread, double eps,           \
                     int64_t threads))                                                                                     \
    K(packed_attend, (const PackedCall* call))                                                                             \
    K(packed_attend_slope, (const PackedCall* call))
