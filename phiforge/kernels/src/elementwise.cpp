// What lies between the products of a layer: norms, the gate and rotations. Rows do not depend on one another.

#include "exp.h"
#include "kernels.h"

namespace {

// The sum of squares in the order in which torch adds: four vectors side by side, of eight floats even where registers hold
// sixteen, whose sums move up a level every 16 rows. Any order is as good; the same one keeps logits bit for bit those of
// torch's operators.
float sum_of_squares(const float* x, int64_t dim) {
    constexpr int LEVELS = 4, POWER = 4, LANES = WIDTH < 8 ? WIDTH : 8;
    typedef float vs __attribute__((vector_size(LANES * 4)));
    const int64_t vectors = dim / LANES, rows = vectors / 4, step = 1 << POWER;
    vs total[LEVELS][4] = {};
    int64_t row = 0;
    auto add = [&](int64_t vector, vs& to) {
        vs v;
        __builtin_memcpy(&v, x + vector * LANES, sizeof v);
        to = to + v * v;
    };
    while (row < rows) {
        int64_t end = row + step < rows ? row + step : rows;
        bool full = end == row + step;
        for (; row < end; row++)
            for (int c = 0; c < 4; c++) add(row * 4 + c, total[0][c]);
        for (int level = 1; full && level < LEVELS; level++) {
            for (int c = 0; c < 4; c++) {
                total[level][c] = total[level][c] + total[level - 1][c];
                total[level - 1][c] = vs{};
            }
            full = (row & ((step - 1) << (level * POWER))) == 0;
        }
    }
    for (int level = 1; level < LEVELS; level++)
        for (int c = 0; c < 4; c++) total[0][c] = total[0][c] + total[level][c];
    for (int64_t vector = rows * 4; vector < vectors; vector++) add(vector, total[0][0]);
    for (int c = 1; c < 4; c++) total[0][0] = total[0][0] + total[0][c];
    float result = 0;
    for (int64_t i = vectors * LANES; i < dim; i++) result += x[i] * x[i];
    for (int lane = 0; lane < LANES; lane++) result += total[0][0][lane];
    return result;
}

}  // namespace

// x [rows, dim] / rms(x) * weight [dim].
PHIFORGE_EXPORT void KERNEL(rms_norm)(const NormCall* call) {
    const int64_t dim = call->dim;
    by_rows(call->threads, call->rows, dim, [=](int64_t row) {
        const float *x_row = call->x + row * dim, *weight = call->weight;
        float* out_row = call->out + row * dim;
        float total = sum_of_squares(x_row, dim);
        float factor = 1 / __builtin_sqrtf(total / static_cast<float>(dim) + static_cast<float>(call->eps));
        int64_t i = 0;
        for (; i + WIDTH <= dim; i += WIDTH)
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
