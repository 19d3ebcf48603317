// Keys and values on their way into a pool: rounded to what it holds, keys transposed.

#include "attention_products.h"
#include "kernels.h"

namespace {

inline uint16_t to_bf16(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// What a head's key or value becomes in int8: x * factor, rounded. Gives its scale.
inline float scale_of(const float* x, int64_t D, float* factor) {
    float most = 0;
    for (int64_t d = 0; d < D; d++) most = __builtin_fabsf(x[d]) > most ? __builtin_fabsf(x[d]) : most;
    float scale = most / 127;
    *factor = scale > 0x1p-100f ? 1 / scale : 0;
    return scale;
}

inline void write(float* to, float x, float) { *to = x; }
inline void write(bf16* to, float x, float) { to->bits = to_bf16(x); }
inline void write(int8_t* to, float x, float factor) { *to = static_cast<int8_t>(__builtin_rintf(x * factor)); }

template <class E>
void put(const float* x, int64_t D, E* to, int64_t step, float* scale) {
    float factor = 1;
    if (scale) *scale = scale_of(x, D, &factor);
    for (int64_t d = 0; d < D; d++) write(to + d * step, x[d], factor);
}

template <class E>
void put_token(const PoolLayer& layer, const float* k, const float* v, int64_t slot) {
    const int64_t G = layer.heads, D = layer.dim, block = slot / BLOCK, place = slot % BLOCK;
    for (int64_t g = 0; g < G; g++) {
        int64_t at = block * G + g;
        bool scaled = sizeof(E) == 1;
        put(k + g * D, D, static_cast<E*>(layer.keys) + at * D * BLOCK + place, BLOCK,
            scaled ? layer.key_scales + at * BLOCK + place : nullptr);
        put(v + g * D, D, static_cast<E*>(layer.values) + (at * BLOCK + place) * D, 1,
            scaled ? layer.value_scales + at * BLOCK + place : nullptr);
    }
}

}  // namespace

PHIFORGE_EXPORT void KERNEL(store_tokens)(const StoreCall* call) {
    const PoolLayer& layer = *call->layer;
    const int64_t step = 8192 / (layer.heads * layer.dim) + 1, tokens = call->tokens;
    parallel(call->threads, (tokens + step - 1) / step, [&](int64_t part) {
        for (int64_t t = part * step; t < (part + 1) * step && t < tokens; t++) {
            const float *k = call->k + t * call->k_stride, *v = call->v + t * call->v_stride;
            if (layer.dtype == 0) put_token<float>(layer, k, v, call->slots[t]);
            if (layer.dtype == 1) put_token<bf16>(layer, k, v, call->slots[t]);
            if (layer.dtype == 2) put_token<int8_t>(layer, k, v, call->slots[t]);
        }
    });
}
