// All layers of a decoder in one call (model/phi3.py, Layer): when single tokens are decoded, Python's way from kernel to
// kernel takes as long as the kernels.

#include "kernels.h"

namespace {

void product(const Weight& w, const float* x, int64_t rows, float* out, bool add, int64_t threads) {
    const LinearCall call = {x, rows, w.k, w.k, w.data, w.scales, w.group, w.n, out, w.n, add, threads};
    if (w.kind == 0) KERNEL(linear_int8)(&call);
    if (w.kind == 1) KERNEL(linear_int4)(&call);
    if (w.kind == 2) KERNEL(linear_bf16)(&call);
}

void gather(const float* from, int64_t dim, const int64_t* rows, int64_t n, float* to) {
    for (int64_t i = 0; i < n; i++) __builtin_memcpy(to + i * dim, from + rows[i] * dim, dim * sizeof(float));
}

}  // namespace

PHIFORGE_EXPORT void KERNEL(layers)(const LayersCall* call) {
    const LayersCall& c = *call;
    float* x = c.x;
    int64_t tokens = c.tokens;
    auto norm = [&](const float* weight) {
        const NormCall normed = {x, weight, c.narrow, tokens, c.dim, c.eps, c.threads};
        KERNEL(rms_norm)(&normed);
    };
    for (int64_t l = 0; l < c.n_layers; l++) {
        const LayerWeights& layer = c.layers[l];
        norm(layer.input_norm);
        product(layer.qkv, c.narrow, tokens, c.wide, false, c.threads);
        const QkvCall attention = {c.wide, layer.qkv.n, c.heads, c.cos, c.sin, c.half, tokens, c.narrow,
                                   c.slots, layer.pool, c.plan, c.threads};
        KERNEL(attend_qkv)(&attention);
        const float* attended = c.narrow;
        if (l == c.n_layers - 1) {
            gather(x, c.dim, c.rows, c.n_rows, c.out);
            gather(c.narrow, layer.o.k, c.rows, c.n_rows, c.wide);
            x = c.out, attended = c.wide, tokens = c.n_rows;
            if (!tokens) return;
        }
        product(layer.o, attended, tokens, x, true, c.threads);
        norm(layer.post_norm);
        product(layer.gate_up, c.narrow, tokens, c.wide, false, c.threads);
        const GateCall gate = {c.wide, c.narrow, tokens, layer.down.k, c.threads};
        KERNEL(silu_mul)(&gate);
        product(layer.down, c.narrow, tokens, x, true, c.threads);
    }
}
