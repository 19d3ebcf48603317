// Training in bf16: what lies between the products, forward and backward, each in one pass; and what goes into an int8 product
// and comes out of it. All sums are fp32. Sizes of rows need not be multiples of anything.

#include "activations.h"
#include "exp.h"
#include "kernels.h"

namespace {

// WIDTH values of bf16 from p, of which `left` exist; and back.
inline vf read(const uint16_t* p, int64_t left) {
    if (left >= WIDTH) return load_bf16(p);
    uint16_t some[WIDTH] = {};
    for (int64_t i = 0; i < left; i++) some[i] = p[i];
    return load_bf16(some);
}

inline void write(uint16_t* p, vf v, int64_t left) {
    if (left >= WIDTH) return store_bf16(p, v);
    uint16_t some[WIDTH];
    store_bf16(some, v);
    for (int64_t i = 0; i < left; i++) p[i] = some[i];
}

inline vf sigmoid(vf x) { return splat(1.0f) / (splat(1.0f) + exp(-x)); }

}  // namespace

// q = x / scale, |q| <= 127, a scale for each row.
PHIFORGE_EXPORT void KERNEL(round_rows)(const uint16_t* x, int64_t rows, int64_t dim, int8_t* q, float* scales, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        float* wide = static_cast<float*>(phiforge_scratch((dim + WIDTH) * 4));
        for (int64_t i = 0; i < dim; i += WIDTH) store(wide + i, read(x + row * dim + i, dim - i));
        int32_t total;
        scales[row] = quantise(wide, dim, dim, q + row * dim, &total);
    });
}

// out += product * row_scale * column_scale.
PHIFORGE_EXPORT void KERNEL(add_scaled)(const int32_t* product, int64_t rows, int64_t dim, const float* row_scales,
                                        const float* column_scales, uint16_t* out, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        const int32_t* p = product + row * dim;
        uint16_t* o = out + row * dim;
        vf scale = splat(row_scales[row]);
        int64_t i = 0;
        for (; i + WIDTH <= dim; i += WIDTH) {
            vi v;
            __builtin_memcpy(&v, p + i, sizeof v);
            store_bf16(o + i, fma(to_float(v) * scale, load(column_scales + i), load_bf16(o + i)));
        }
        for (; i < dim; i++) {
            vf sum = fma(splat(static_cast<float>(p[i])) * scale, splat(column_scales[i]), read(o + i, 1));
            write(o + i, sum, 1);
        }
    });
}

// x [rows, 2 dim], gates first: silu(gate) * up.
PHIFORGE_EXPORT void KERNEL(gate)(const uint16_t* x, int64_t rows, int64_t dim, uint16_t* out, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        const uint16_t *gate = x + row * 2 * dim, *up = gate + dim;
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf g = read(gate + i, dim - i);
            write(out + row * dim + i, g * sigmoid(g) * read(up + i, dim - i), dim - i);
        }
    });
}

// The gradient of `gate` for its input, and (if not null) what it had returned.
PHIFORGE_EXPORT void KERNEL(gate_slope)(const uint16_t* x, const uint16_t* slope, int64_t rows, int64_t dim, uint16_t* of_x,
                                        uint16_t* gated, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        const uint16_t *gate = x + row * 2 * dim, *up = gate + dim;
        uint16_t *of_gate = of_x + row * 2 * dim, *of_up = of_gate + dim;
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf g = read(gate + i, dim - i), u = read(up + i, dim - i), s = read(slope + row * dim + i, dim - i);
            vf open = sigmoid(g), active = g * open;
            write(of_gate + i, s * u * open * (splat(1.0f) + g - active), dim - i);
            write(of_up + i, s * active, dim - i);
            if (gated) write(gated + row * dim + i, active * u, dim - i);
        }
    });
}

// x / rms(x) * weight; `factors` get 1 / rms of each row.
PHIFORGE_EXPORT void KERNEL(norm)(const uint16_t* x, const uint16_t* weight, int64_t rows, int64_t dim, double eps, uint16_t* out,
                                  float* factors, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        const uint16_t* from = x + row * dim;
        vf squares = {};
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf v = read(from + i, dim - i);
            squares = fma(v, v, squares);
        }
        float factor = 1 / __builtin_sqrtf(sum(squares) / static_cast<float>(dim) + static_cast<float>(eps));
        factors[row] = factor;
        for (int64_t i = 0; i < dim; i += WIDTH)
            write(out + row * dim + i, read(from + i, dim - i) * splat(factor) * read(weight + i, dim - i), dim - i);
    });
}

// The gradient of `norm` for its input.
PHIFORGE_EXPORT void KERNEL(norm_slope)(const uint16_t* x, const uint16_t* weight, const float* factors, const uint16_t* slope,
                                        int64_t rows, int64_t dim, uint16_t* of_x, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        const uint16_t *from = x + row * dim, *steep = slope + row * dim;
        vf factor = splat(factors[row]), along = {};
        for (int64_t i = 0; i < dim; i += WIDTH)
            along = fma(read(steep + i, dim - i) * read(weight + i, dim - i), read(from + i, dim - i) * factor, along);
        vf mean = splat(sum(along) / static_cast<float>(dim));
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf unit = read(from + i, dim - i) * factor;
            vf s = read(steep + i, dim - i) * read(weight + i, dim - i);
            write(of_x + row * dim + i, (s - unit * mean) * factor, dim - i);
        }
    });
}

// x [rows, heads, dim], rows `stride` apart, by cos and sin [rows, half], or back: pairs are (i, i + half), the rest passes.
PHIFORGE_EXPORT void KERNEL(turn)(const uint16_t* x, const uint16_t* cos, const uint16_t* sin, int64_t rows, int64_t stride,
                                  int64_t heads, int64_t dim, int64_t half, int64_t back, uint16_t* out, int64_t out_stride,
                                  int64_t threads) {
    by_rows(threads, rows, heads * dim, [=](int64_t row) {
        const uint16_t *c = cos + row * half, *s = sin + row * half;
        vf sign = splat(back ? -1.0f : 1.0f);
        for (int64_t h = 0; h < heads; h++) {
            const uint16_t *first = x + row * stride + h * dim, *second = first + half;
            uint16_t* o = out + row * out_stride + h * dim;
            for (int64_t i = 0; i < half; i += WIDTH) {
                vf a = read(first + i, half - i), b = read(second + i, half - i);
                vf ci = read(c + i, half - i), si = read(s + i, half - i) * sign;
                write(o + i, a * ci - b * si, half - i);
                write(o + half + i, b * ci + a * si, half - i);
            }
            for (int64_t i = 2 * half; i < dim; i++) o[i] = first[i];
        }
    });
}

// Of each row of logits, log z = the log of the sum of their exponentials, and (if not null) the entropy of what they say.
PHIFORGE_EXPORT void KERNEL(row_logs)(const uint16_t* x, int64_t rows, int64_t dim, float* logs, float* entropies,
                                      int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        const uint16_t* from = x + row * dim;
        const int64_t whole = dim / WIDTH * WIDTH;
        float most = read(from, 1)[0];
        if (whole) {
            vf best = load_bf16(from);
            for (int64_t i = WIDTH; i < whole; i += WIDTH) best = larger(best, load_bf16(from + i));
            most = largest(best);
        }
        for (int64_t i = whole; i < dim; i++) {
            float v = read(from + i, 1)[0];
            most = v > most ? v : most;
        }
        vf total = {}, weighed = {};
        for (int64_t i = 0; i < whole; i += WIDTH) {
            vf v = load_bf16(from + i) - splat(most), e = exp(v);
            total = total + e;
            weighed = fma(e, v, weighed);
        }
        float z = sum(total), mean = sum(weighed);
        for (int64_t i = whole; i < dim; i++) {
            float v = read(from + i, 1)[0] - most, e = exp(splat(v))[0];
            z += e;
            mean += e * v;
        }
        logs[row] = most + __builtin_logf(z);
        if (entropies) entropies[row] = __builtin_logf(z) - mean / z;
    });
}

// x becomes p (of_all - of_entropy (log p + entropy)), p = exp(x - log z), without the second part where `of_entropies` is null;
// and the label's own of_label more, before anything is rounded.
PHIFORGE_EXPORT void KERNEL(row_slopes)(uint16_t* x, int64_t rows, int64_t dim, const int64_t* labels, const float* logs,
                                        const float* entropies, const float* of_labels, const float* of_all,
                                        const float* of_entropies, int64_t threads) {
    by_rows(threads, rows, dim, [=](int64_t row) {
        uint16_t* at = x + row * dim;
        vf log = splat(logs[row]), all = splat(of_all[row]);
        vf entropy = splat(of_entropies ? entropies[row] : 0), steep = splat(of_entropies ? -of_entropies[row] : 0);
        auto slope = [=](vf value) {
            vf v = value - log;
            return exp(v) * (of_entropies ? fma(steep, v + entropy, all) : all);
        };
        vf own = slope(read(at + labels[row], 1)) + splat(of_labels[row]);
        for (int64_t i = 0; i < dim; i += WIDTH) write(at + i, slope(read(at + i, dim - i)), dim - i);
        write(at + labels[row], own, 1);
    });
}
