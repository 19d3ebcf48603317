// Training: what lies between the products, forward and backward, each in one pass, in bf16 if `narrow`, else in fp32; and what
// goes into an int8 product and comes out of it. All sums are fp32. Sizes of rows need not be multiples of anything.

#include "activations.h"
#include "exp.h"
#include "kernels.h"

namespace {

// WIDTH values to p, of which `left` exist.
template <class E>
inline void write(E* p, vf v, int64_t left) {
    if (left >= WIDTH) return put(p, v);
    E some[WIDTH];
    put(some, v);
    for (int64_t i = 0; i < left; i++) p[i] = some[i];
}

// `by_rows`, the work being told the type of the rows' values by one of them.
template <class Work>
void by_rows_of(int64_t narrow, int64_t threads, int64_t rows, int64_t dim, const Work& work) {
    if (narrow)
        by_rows(threads, rows, dim, [&](int64_t row) { work(row, Bf16{}); });
    else
        by_rows(threads, rows, dim, [&](int64_t row) { work(row, float{}); });
}

template <class E>
const E* at(const void* p, int64_t i, E) {
    return static_cast<const E*>(p) + i;
}

template <class E>
E* at(void* p, int64_t i, E) {
    return static_cast<E*>(p) + i;
}

constexpr int64_t BAND = 8 * WIDTH;  // columns of many rows that one thread goes through

constexpr int64_t CHANCES = 1 << 20;  // of narrow_adamw: as many weights share one, so many apart

inline vf root(vf v) {
    float some[WIDTH];
    store(some, v);
    for (float& each : some) each = __builtin_sqrtf(each);
    return load(some);
}

// bf16 of `left` values, each up if what is cut off and `chance`, 16 bits each, come to more than those hold.
inline void write_by_chance(uint16_t* p, vf v, vi chance, int64_t left) {
    typedef uint16_t vs __attribute__((vector_size(WIDTH * 2)));
    vs upper = __builtin_convertvector((((vi)v + chance) >> 16) & 0xffff, vs);
    __builtin_memcpy(p, &upper, static_cast<unsigned long>(left < WIDTH ? left : WIDTH) * 2);
}

inline vf sigmoid(vf x) { return splat(1.0f) / (splat(1.0f) + exp(-x)); }

}  // namespace

// q = x / scale, |q| <= 127, a scale for each row.
PHIFORGE_EXPORT void KERNEL(round_rows)(const void* x, int64_t rows, int64_t dim, int8_t* q, float* scales, int64_t narrow,
                                        int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const auto* from = at(x, row * dim, of);
        float* wide = static_cast<float*>(phiforge_scratch((dim + WIDTH) * 4));
        for (int64_t i = 0; i < dim; i += WIDTH) store(wide + i, read(from + i, dim - i));
        int32_t total;
        scales[row] = quantise(wide, dim, dim, q + row * dim, &total);
    });
}

// The same, a scale for each column.
PHIFORGE_EXPORT void KERNEL(round_columns)(const void* x, int64_t rows, int64_t dim, int8_t* q, float* scales, int64_t narrow,
                                           int64_t threads) {
    by_rows_of(narrow, threads, (dim + BAND - 1) / BAND, rows * BAND, [=](int64_t band, auto of) {
        const int64_t first = band * BAND, left = dim - first < BAND ? dim - first : BAND;
        vi most[BAND / WIDTH] = {};
        vf factors[BAND / WIDTH];
        for (int64_t row = 0; row < rows; row++)
            for (int64_t i = 0; i < left; i += WIDTH) {
                vi bits = (vi)read(at(x, row * dim + first + i, of), left - i) & 0x7fffffff;
                most[i / WIDTH] = bits > most[i / WIDTH] ? bits : most[i / WIDTH];
            }
        for (int64_t i = 0; i < left; i++) {
            float magnitude = ((vf)most[i / WIDTH])[i % WIDTH];
            bool finite = most[i / WIDTH][i % WIDTH] < 0x7f800000, used = finite && magnitude >= SMALLEST;
            factors[i / WIDTH][i % WIDTH] = used ? 127 / magnitude : 0;
            scales[first + i] = !finite ? __builtin_nanf("") : used ? magnitude / 127 : 0;
        }
        for (int64_t row = 0; row < rows; row++)
            for (int64_t i = 0; i < left; i += WIDTH) {
                int8_t some[WIDTH], *to = q + row * dim + first + i;
                vf scaled = read(at(x, row * dim + first + i, of), left - i) * factors[i / WIDTH];
                store_narrow(left - i < WIDTH ? some : to, (vi)(scaled + splat(0x1.8p23f)) - 0x4b400000);
                for (int64_t j = i; left - i < WIDTH && j < left; j++) to[j - i] = some[j - i];
            }
    });
}

// out += product * row_scale * column_scale, or = if `fresh`.
PHIFORGE_EXPORT void KERNEL(add_scaled)(const int32_t* product, int64_t rows, int64_t dim, const float* row_scales,
                                        const float* column_scales, void* out, int64_t fresh, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const int32_t* p = product + row * dim;
        auto* o = at(out, row * dim, of);
        vf scale = splat(row_scales[row]);
        int64_t i = 0;
        for (; i + WIDTH <= dim; i += WIDTH) {
            vi v;
            __builtin_memcpy(&v, p + i, sizeof v);
            put(o + i, fma(to_float(v) * scale, load(column_scales + i), fresh ? vf{} : get(o + i)));
        }
        for (; i < dim; i++) {
            vf sum = fma(splat(static_cast<float>(p[i])) * scale, splat(column_scales[i]), fresh ? vf{} : read(o + i, 1));
            write(o + i, sum, 1);
        }
    });
}

// x [rows, 2 dim], gates first: silu(gate) * up.
PHIFORGE_EXPORT void KERNEL(gate)(const void* x, int64_t rows, int64_t dim, void* out, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const auto *gate = at(x, row * 2 * dim, of), *up = gate + dim;
        auto* to = at(out, row * dim, of);
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf g = read(gate + i, dim - i);
            write(to + i, g * sigmoid(g) * read(up + i, dim - i), dim - i);
        }
    });
}

// The gradient of `gate` for its input, and (if not null) what it had returned.
PHIFORGE_EXPORT void KERNEL(gate_slope)(const void* x, const void* slope, int64_t rows, int64_t dim, void* of_x,
                                        void* gated, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const auto *gate = at(x, row * 2 * dim, of), *up = gate + dim;
        auto *of_gate = at(of_x, row * 2 * dim, of), *of_up = of_gate + dim, *product = at(gated, row * dim, of);
        const auto* steep = at(slope, row * dim, of);
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf g = read(gate + i, dim - i), u = read(up + i, dim - i), s = read(steep + i, dim - i);
            vf open = sigmoid(g), active = g * open;
            write(of_gate + i, s * u * open * (splat(1.0f) + g - active), dim - i);
            write(of_up + i, s * active, dim - i);
            if (gated) write(product + i, active * u, dim - i);
        }
    });
}

// x / rms(x) * weight; `factors` get 1 / rms of each row.
PHIFORGE_EXPORT void KERNEL(norm)(const void* x, const void* weight, int64_t rows, int64_t dim, double eps, void* out,
                                  float* factors, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const auto *from = at(x, row * dim, of), *w = at(weight, 0, of);
        auto* to = at(out, row * dim, of);
        vf squares = {};
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf v = read(from + i, dim - i);
            squares = fma(v, v, squares);
        }
        float factor = 1 / __builtin_sqrtf(sum(squares) / static_cast<float>(dim) + static_cast<float>(eps));
        factors[row] = factor;
        for (int64_t i = 0; i < dim; i += WIDTH)
            write(to + i, read(from + i, dim - i) * splat(factor) * read(w + i, dim - i), dim - i);
    });
}

// The gradient of `norm` for its input.
PHIFORGE_EXPORT void KERNEL(norm_slope)(const void* x, const void* weight, const float* factors, const void* slope,
                                        int64_t rows, int64_t dim, void* of_x, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const auto *from = at(x, row * dim, of), *steep = at(slope, row * dim, of), *w = at(weight, 0, of);
        auto* to = at(of_x, row * dim, of);
        vf factor = splat(factors[row]), along = {};
        for (int64_t i = 0; i < dim; i += WIDTH)
            along = fma(read(steep + i, dim - i) * read(w + i, dim - i), read(from + i, dim - i) * factor, along);
        vf mean = splat(sum(along) / static_cast<float>(dim));
        for (int64_t i = 0; i < dim; i += WIDTH) {
            vf unit = read(from + i, dim - i) * factor;
            vf s = read(steep + i, dim - i) * read(w + i, dim - i);
            write(to + i, (s - unit * mean) * factor, dim - i);
        }
    });
}

// And for its weight, in fp32.
PHIFORGE_EXPORT void KERNEL(norm_weight_slope)(const void* x, const float* factors, const void* slope, int64_t rows, int64_t dim,
                                               float* of_weight, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, (dim + BAND - 1) / BAND, rows * BAND, [=](int64_t band, auto of) {
        const int64_t first = band * BAND, left = dim - first < BAND ? dim - first : BAND;
        vf sums[BAND / WIDTH] = {};
        for (int64_t row = 0; row < rows; row++)
            for (int64_t i = 0; i < left; i += WIDTH) {
                int64_t place = row * dim + first + i;
                vf unit = read(at(x, place, of), left - i) * splat(factors[row]);
                sums[i / WIDTH] = fma(read(at(slope, place, of), left - i), unit, sums[i / WIDTH]);
            }
        for (int64_t i = 0; i < left; i += WIDTH) write(of_weight + first + i, sums[i / WIDTH], left - i);
    });
}

// x [rows, heads, dim], rows `stride` apart, by cos and sin [rows, half], or back: pairs are (i, i + half), the rest passes.
PHIFORGE_EXPORT void KERNEL(turn)(const void* x, const void* cos, const void* sin, int64_t rows, int64_t stride,
                                  int64_t heads, int64_t dim, int64_t half, int64_t back, void* out, int64_t out_stride,
                                  int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, heads * dim, [=](int64_t row, auto of) {
        const auto *c = at(cos, row * half, of), *s = at(sin, row * half, of);
        vf sign = splat(back ? -1.0f : 1.0f);
        for (int64_t h = 0; h < heads; h++) {
            const auto *first = at(x, row * stride + h * dim, of), *second = first + half;
            auto* o = at(out, row * out_stride + h * dim, of);
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
PHIFORGE_EXPORT void KERNEL(row_logs)(const void* x, int64_t rows, int64_t dim, float* logs, float* entropies,
                                      int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        const auto* from = at(x, row * dim, of);
        const int64_t whole = dim / WIDTH * WIDTH;
        float most = read(from, 1)[0];
        if (whole) {
            vf best = get(from);
            for (int64_t i = WIDTH; i < whole; i += WIDTH) best = larger(best, get(from + i));
            most = largest(best);
        }
        for (int64_t i = whole; i < dim; i++) {
            float v = read(from + i, 1)[0];
            most = v > most ? v : most;
        }
        vf total = {}, weighed = {};
        for (int64_t i = 0; i < whole;) {  // in blocks, as long sums lose digits
            vf part = {}, of_part = {};
            for (int64_t end = i + 64 * WIDTH < whole ? i + 64 * WIDTH : whole; i < end; i += WIDTH) {
                vf v = get(from + i) - splat(most), e = exp(v);
                part = part + e;
                of_part = fma(e, v, of_part);
            }
            total = total + part;
            weighed = weighed + of_part;
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
PHIFORGE_EXPORT void KERNEL(row_slopes)(void* x, int64_t rows, int64_t dim, const int64_t* labels, const float* logs,
                                        const float* entropies, const float* of_labels, const float* of_all,
                                        const float* of_entropies, int64_t narrow, int64_t threads) {
    by_rows_of(narrow, threads, rows, dim, [=](int64_t row, auto of) {
        auto* values = at(x, row * dim, of);
        vf log = splat(logs[row]), all = splat(of_all[row]);
        vf entropy = splat(of_entropies ? entropies[row] : 0), steep = splat(of_entropies ? -of_entropies[row] : 0);
        auto slope = [=](vf value) {
            vf v = value - log;
            return exp(v) * (of_entropies ? fma(steep, v + entropy, all) : all);
        };
        vf own = slope(read(values + labels[row], 1)) + splat(of_labels[row]);
        for (int64_t i = 0; i < dim; i += WIDTH) write(values + i, slope(read(values + i, dim - i)), dim - i);
        write(values + labels[row], own, 1);
    });
}

// A step of AdamW on n weights of bf16, with moments of bf16: mean = fast * mean + (1 - fast) * slope, square likewise, and
// weight = shrink * weight - rate * mean / (spread * sqrt(square) + eps).
PHIFORGE_EXPORT void KERNEL(narrow_adamw)(uint16_t* weight, uint16_t* mean, uint16_t* square, const uint16_t* slope,
                                          const int32_t* chance, int64_t n, double fast, double slow, double shrink,
                                          double rate, double spread, double eps, int64_t threads) {
    const vf to_mean = splat(static_cast<float>(1 - fast)), keep = splat(static_cast<float>(slow));
    const vf to_square = splat(static_cast<float>(1 - slow)), less = splat(static_cast<float>(shrink));
    const vf by = splat(static_cast<float>(rate)), wide = splat(static_cast<float>(spread)), least = splat(static_cast<float>(eps));
    by_rows(threads, (n + WIDTH - 1) / WIDTH, WIDTH, [=](int64_t row) {
        const int64_t i = row * WIDTH, left = n - i;
        const Bf16 of{};
        vf g = read(at(slope, i, of), left), m = read(at(mean, i, of), left), v = read(at(square, i, of), left);
        vf w = read(at(weight, i, of), left);
        m = fma(g - m, to_mean, m);
        v = fma(g * g, to_square, v * keep);
        w = w * less - by * m / fma(root(v), wide, least);
        vi up;
        __builtin_memcpy(&up, chance + i % CHANCES, sizeof up);
        write_by_chance(weight + i, w, up, left);
        write_by_chance(mean + i, m, up, left);
        write_by_chance(square + i, v, up, left);
    });
}
