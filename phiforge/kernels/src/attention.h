// The kernels of attention.cpp, store.cpp, select.cpp, elementwise.cpp and layers.cpp, for the list in kernels.h.
//
// Each takes its arguments as one record, which Python packs into bytes: ctypes takes 0.3 us for an argument, and a
// kernel for one token hardly more. Fields are 8 bytes wide. Sizes and strides count elements.
#pragma once

#include <stdint.h>

static_assert(sizeof(void*) == 8, "records are packed for 64-bit processors");

// One layer of a pool (attention.py): keys [n_blocks, G, D, 16] and values [n_blocks, G, 16, D], and of int8 the scales.
struct PoolLayer {
    void *keys, *values;
    float *key_scales, *value_scales;  // [n_blocks, G, 16]
    int64_t dtype;                     // 0 fp32, 1 bf16, 2 int8
    int64_t heads, dim;                // G and D
};

struct AttendCall {  // q [T, heads, D], rows q_stride apart, to out [T, heads, D]
    const float* q;
    int64_t q_stride, heads;
    float* out;
    const PoolLayer* layer;
    const int32_t* plan;  // attention.py, Plan.native
    int64_t threads;
};

struct StoreCall {  // k and v [tokens, G, D], rows a stride apart, to slots [tokens] of the layer
    const float* k;
    int64_t k_stride;
    const float* v;
    int64_t v_stride;
    const int64_t* slots;
    int64_t tokens;
    const PoolLayer* layer;
    int64_t threads;
};

// Rotates the queries and keys in qkv [T, (heads + 2 G) D] in place, stores keys and values, and attends.
struct QkvCall {
    float* qkv;
    int64_t stride, heads;
    const float *cos, *sin;  // [T, half]
    int64_t half, tokens;
    float* out;  // [T, heads, D]
    const int64_t* slots;
    const PoolLayer* layer;
    const int32_t* plan;
    int64_t threads;
};

struct TopCall {  // z [rows, width], rows `stride` apart, to values and ids [rows, k] and logsumexp [rows]
    const float* z;
    int64_t rows, width, stride, k;  // 1 <= k <= width < 2^32
    float* values;
    int64_t* ids;
    float* logsumexp;
    int64_t threads;
};

struct ArgmaxCall {
    const float* z;
    int64_t rows, width, stride;
    int64_t* ids;
    int64_t threads;
};

struct DrawCall {  // a draw [rows] in [0, 1) to the id where the cumulative softmax of z / temperature passes it
    const float* z;
    int64_t rows, width, stride;
    const float* temperature;
    const double* draw;
    int64_t* ids;
    int64_t threads;
};

struct MaskCall {  // bits [rows, width / 32], rows bits_stride apart
    float* z;
    int64_t rows, width, stride;
    const int32_t* bits;
    int64_t bits_stride, threads;
};

struct NormCall {  // x and out [rows, dim], weight [dim]
    const float *x, *weight;
    float* out;
    int64_t rows, dim;
    double eps;
    int64_t threads;
};

struct GateCall {  // x [rows, 2 dim] to out [rows, dim]
    const float* x;
    float* out;
    int64_t rows, dim, threads;
};

struct RotateCall {  // x and out [rows, heads, dim], rows a stride apart, cos and sin [rows, half]; out may be x
    const float* x;
    int64_t x_stride;
    const float *cos, *sin;
    float* out;
    int64_t out_stride, rows, heads, dim, half, threads;
};

struct Weight {  // of a product, [n, k] as LinearCall has it
    const void *data, *scales;
    int64_t kind, group, n, k;  // kind: 0 int8, 1 int4, 2 bf16
};

struct LayerWeights {
    const float *input_norm, *post_norm;  // [dim]
    Weight qkv, o, gate_up, down;
    const PoolLayer* pool;
};

// All layers of a network: x [tokens, dim] is the residual stream, changed in place. Of the last layer only the tokens
// `rows` [n_rows] are computed after its attention, to out [n_rows, dim].
struct LayersCall {
    float* x;
    int64_t tokens, dim;
    const LayerWeights* layers;
    int64_t n_layers, heads;
    double eps;
    const float *cos, *sin;  // [tokens, half]
    int64_t half;
    const int64_t* slots;
    const int32_t* plan;
    const int64_t* rows;
    int64_t n_rows;
    float* out;
    float *narrow, *wide;  // [tokens, most inputs of a product] and [tokens, most outputs]
    int64_t threads;
};

#define PHIFORGE_ATTENTION_KERNELS(K)    \
    K(attend, (const AttendCall* call))  \
    K(store_tokens, (const StoreCall*))  \
    K(attend_qkv, (const QkvCall*))      \
    K(top, (const TopCall*))             \
    K(argmax, (const ArgmaxCall*))       \
    K(draw, (const DrawCall*))           \
    K(mask, (const MaskCall*))           \
    K(rms_norm, (const NormCall*))       \
    K(silu_mul, (const GateCall*))       \
    K(rotate, (const RotateCall*))       \
    K(layers, (const LayersCall*))
