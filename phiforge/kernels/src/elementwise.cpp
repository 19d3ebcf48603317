// What lies between the products of a layer: norms, the gate and rotations. Rows do not depend on one another.

#include "exp.h"
#include "kernels.h"

namespace {

constexpr int64_t PART = 1 << 14;  // elements that are worth a thread of their own

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

// x [rows, dim] / rms(x) * weight [dim].
PHIFORGE_EXPORT void KERNEL(rms_norm)(const NormCall* call) {
    const int64_t dim = call->dim;
    by_rows(call->threads, call->rows, dim, [=](int64_t row) {
        const float *x_row = call->x + row * dim, *weight = call->weight;
        float* out_row = call->out + row * dim;
        vf squares[4] = {};
        int64_t i = 0;
        for (; i + 4 * WIDTH <= dim; i += 4 * WIDTH)
            for (int c = 0; c < 4; c++) {
                vf v = load(x_row + i + c * WIDTH);
                squares[c] = fma(v, v, squares[c]);
            }
        float total = sum((squares[0] + squares[1]) + (squares[2] + squares[3]));
        for (; i < dim; i++) total += x_row[i] * x_row[i];
        float factor = 1 / __builtin_sqrtf(total / static_cast<float>(dim) + static_cast<float>(call->eps));
        for (i = 0; i + WIDTH <= dim; i += WIDTH)
            store(out_row + i, load(weight + i) * (load(x_row + i) * splat(factor)));
        for (; i < dim; i++) out_row[i] = weight[i] * (x_row[i] * factor);
    });
}

// x [rows, 2 dim], gates first: silu(gate) * up.
PHIFORGE_EXPORT void KERNEL(silu_mul)(const GateCall* call) {
    const int64_t dim = call->dim;
    by_rows(call->threads, call->rows, dim, [=](int64_t row) {
        const float *gate = call->x + row * 2 * dim, *up = gate + dim;
        float* out_row = call->out + row * dim;
        auto some = [](vf g, vf u) { return g / (splat(1.0f) + exp(-g)) * u; };
        int64_t i = 0;
        for (; i + WIDTH <= dim; i += WIDTH) store(out_row + i, some(load(gate + i), load(up + i)));
        for (; i < dim; i++) out_row[i] = some(splat(gate[i]), splat(up[i]))[0];
    });
}

// x [rows, heads, dim], rows x_stride apart, by cos and sin [rows, half]: pairs are (i, i + half), the rest passes. out may be x.
PHIFORGE_EXPORT void KERNEL(rotate)(const RotateCall* call) {
    const int64_t heads = call->heads, dim = call->dim, half = call->half;
    by_rows(call->threads, call->rows, heads * dim, [=](int64_t row) {
        const float *c = call->cos + row * half, *s = call->sin + row * half;
        for (int64_t h = 0; h < heads; h++) {
            const float *first = call->x + row * call->x_stride + h * dim, *second = first + half;
            float* o = call->out + row * call->out_stride + h * dim;
            int64_t i = 0;
            for (; i + WIDTH <= half; i += WIDTH) {
                vf a = load(first + i), b = load(second + i), ci = load(c + i), si = load(s + i);
                store(o + i, a * ci - b * si);
                store(o + half + i, b * ci + a * si);
            }
            for (; i < half; i++) {
                float a = first[i], b = second[i];
                o[i] = a * c[i] - b * s[i];
                o[half + i] = b * c[i] + a * s[i];
            }
            if (o != first)
                for (i = 2 * half; i < dim; i++) o[i] = first[i];
        }
    });
}
