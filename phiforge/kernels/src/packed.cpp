// Attention in training: documents laid end to end, each token sees itself and those before it in its own document. Values come
// in fp32 or bf16; scores, sums and gradients are fp32. A part of the work is a document and a group of heads that share keys.
//
//     L tokens of a document, padded to P, a multiple of the vector's width; D head dim, a multiple of it

#include "exp.h"
#include "kernels.h"

namespace {

struct Narrow {
    uint16_t bits;
};

inline vf get(const float* p) { return load(p); }
inline vf get(const Narrow* p) { return load_bf16(&p->bits); }
inline void put(float* p, vf v) { store(p, v); }
inline void put(Narrow* p, vf v) { store_bf16(&p->bits, v); }

constexpr int ROWS = 4;  // computed side by side

// to [L, D] = rows of `from`, `stride` apart.
template <class E>
void widen(const E* from, int64_t stride, int64_t L, int64_t D, float* to) {
    for (int64_t i = 0; i < L; i++)
        for (int64_t d = 0; d < D; d += WIDTH) store(to + i * D + d, get(from + i * stride + d));
}

template <class E>
void narrow(const float* from, int64_t L, int64_t D, E* to, int64_t stride) {
    for (int64_t i = 0; i < L; i++)
        for (int64_t d = 0; d < D; d += WIDTH) put(to + i * stride + d, load(from + i * D + d));
}

// to [D, P]: from [L, D] transposed, zeros beyond L.
void transpose(const float* from, int64_t L, int64_t D, int64_t P, float* to) {
    for (int64_t d = 0; d < D; d++) {
        for (int64_t i = 0; i < L; i++) to[d * P + i] = from[i * D + d];
        for (int64_t i = L; i < P; i++) to[d * P + i] = 0;
    }
}

// ROWS rows from `i` of x [L, D] times columns [j, j + 2 WIDTH) of y [D, P], into rows of out [L, P].
template <int R, int V>
inline void tile(const float* x, const float* y, int64_t i, int64_t j, int64_t D, int64_t P, float* out) {
    vf sums[R][V];
    for (int r = 0; r < R; r++)
        for (int c = 0; c < V; c++) sums[r][c] = vf{};
    for (int64_t d = 0; d < D; d++) {
        vf columns[V];
        for (int c = 0; c < V; c++) columns[c] = load(y + d * P + j + c * WIDTH);
        for (int r = 0; r < R; r++) {
            vf each = splat(x[(i + r) * D + d]);
            for (int c = 0; c < V; c++) sums[r][c] = fma(each, columns[c], sums[r][c]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < V; c++) store(out + (i + r) * P + j + c * WIDTH, sums[r][c]);
}

// out [L, P] = x [L, D] y [D, P], of each row what is up to its own token, and perhaps more.
void scores(const float* x, const float* y, int64_t L, int64_t D, int64_t P, float* out) {
    for (int64_t i = 0; i < L; i += ROWS) {
        int64_t rows = L - i < ROWS ? L - i : ROWS, end = i + rows, j = 0;
        for (; j + WIDTH < end; j += 2 * WIDTH) {
            if (j + 2 * WIDTH > P) break;
            if (rows == ROWS) tile<ROWS, 2>(x, y, i, j, D, P, out);
            else for (int64_t r = 0; r < rows; r++) tile<1, 2>(x, y, i + r, j, D, P, out);
        }
        for (; j < end; j += WIDTH) {
            if (rows == ROWS) tile<ROWS, 1>(x, y, i, j, D, P, out);
            else for (int64_t r = 0; r < rows; r++) tile<1, 1>(x, y, i + r, j, D, P, out);
        }
    }
}

// R rows of out [., D] from row `i`: sum over t in [from, to) of weight(r, t) times row t of y [., D]; added to out or not.
template <int R, class Weight>
inline void mix(const float* y, int64_t from, int64_t to, int64_t D, float* out, bool add, const Weight& weight) {
    constexpr int V = 4;
    int64_t d = 0;
    for (; d + V * WIDTH <= D; d += V * WIDTH) {
        vf sums[R][V];
        for (int r = 0; r < R; r++)
            for (int c = 0; c < V; c++) sums[r][c] = add ? load(out + r * D + d + c * WIDTH) : vf{};
        for (int64_t t = from; t < to; t++) {
            vf values[V];
            for (int c = 0; c < V; c++) values[c] = load(y + t * D + d + c * WIDTH);
            for (int r = 0; r < R; r++) {
                vf each = splat(weight(r, t));
                for (int c = 0; c < V; c++) sums[r][c] = fma(each, values[c], sums[r][c]);
            }
        }
        for (int r = 0; r < R; r++)
            for (int c = 0; c < V; c++) store(out + r * D + d + c * WIDTH, sums[r][c]);
    }
    for (; d < D; d += WIDTH)
        for (int r = 0; r < R; r++) {
            vf sum = add ? load(out + r * D + d) : vf{};
            for (int64_t t = from; t < to; t++) sum = fma(splat(weight(r, t)), load(y + t * D + d), sum);
            store(out + r * D + d, sum);
        }
}

// out [L, D] (+)= w [L, P] y [L, D], each row over the tokens up to its own. What is beyond must be zero in w.
void forward(const float* w, const float* y, int64_t L, int64_t D, int64_t P, float* out) {
    for (int64_t i = 0; i < L; i += ROWS) {
        if (i + ROWS <= L)
            mix<ROWS>(y, 0, i + ROWS, D, out + i * D, false, [=](int r, int64_t t) { return w[(i + r) * P + t]; });
        else
            for (int64_t r = i; r < L; r++)
                mix<1>(y, 0, r + 1, D, out + r * D, false, [=](int, int64_t t) { return w[r * P + t]; });
    }
}

// out [L, D] += w^T x, each row over the tokens from its own.
void back(const float* w, const float* x, int64_t L, int64_t D, int64_t P, float* out) {
    for (int64_t j = 0; j < L; j += ROWS) {
        if (j + ROWS <= L)
            mix<ROWS>(x, j, L, D, out + j * D, true, [=](int r, int64_t t) { return w[t * P + j + r]; });
        else
            for (int64_t r = j; r < L; r++)
                mix<1>(x, r, L, D, out + r * D, true, [=](int, int64_t t) { return w[t * P + r]; });
    }
}

// Row i of scores becomes chances: exp(scale * s - log), zero after token i up to the end of what was computed.
inline void chances(float* s, int64_t i, int64_t P, float scale, float log) {
    int64_t end = (i / ROWS + 1) * ROWS;
    end = (end + 2 * WIDTH - 1) / WIDTH * WIDTH;
    end = end < P ? end : P;
    for (int64_t j = 0; j < end; j += WIDTH) store(s + j, exp(load(s + j) * splat(scale) - splat(log)));
    for (int64_t j = i + 1; j < end; j++) s[j] = 0;
}

// log of the sum of exp(scale * s) of a row's first i + 1.
inline float log_sum(const float* s, int64_t i, float scale) {
    float most = s[0];
    for (int64_t j = 1; j <= i; j++) most = s[j] > most ? s[j] : most;
    float shift = most * scale;
    vf total = {};
    int64_t j = 0;
    for (; j + WIDTH <= i + 1; j += WIDTH) total = total + exp(load(s + j) * splat(scale) - splat(shift));
    float sum_ = sum(total);
    for (; j <= i; j++) sum_ += exp(splat(s[j] * scale - shift))[0];
    return shift + __builtin_logf(sum_);
}

inline int64_t padded(int64_t L) { return (L + WIDTH - 1) / WIDTH * WIDTH; }

template <class E>
void attend(const PackedCall& c) {
    const int64_t H = c.heads, G = c.groups, D = c.dim, R = H / G;
    const float scale = 1 / __builtin_sqrtf(static_cast<float>(D));
    parallel(c.threads, c.documents * G, [=](int64_t part) {
        const int64_t g = part % G, start = c.starts[part / G], L = c.starts[part / G + 1] - start, P = padded(L);
        const int64_t stride = (H + G) * D;
        const E* qk = static_cast<const E*>(c.qk) + start * stride;
        const E* v = static_cast<const E*>(c.v) + start * G * D + g * D;
        float* x = static_cast<float*>(phiforge_scratch((3 * L * D + P * D + L * P) * 4));
        float *keys = x + L * D, *values = keys + P * D, *o = values + L * D, *s = o + L * D;
        widen(qk + (H + g) * D, stride, L, D, x);
        transpose(x, L, D, P, keys);
        widen(v, G * D, L, D, values);
        for (int64_t h = g * R; h < (g + 1) * R; h++) {
            widen(qk + h * D, stride, L, D, x);
            scores(x, keys, L, D, P, s);
            for (int64_t i = 0; i < L; i++) {
                float log = c.logs[(start + i) * H + h] = log_sum(s + i * P, i, scale);
                chances(s + i * P, i, P, scale, log);
            }
            forward(s, values, L, D, P, o);
            narrow(o, L, D, static_cast<E*>(c.out) + (start * H + h) * D, H * D);
        }
    });
}

template <class E>
void attend_slope(const PackedCall& c) {
    const int64_t H = c.heads, G = c.groups, D = c.dim, R = H / G;
    const float scale = 1 / __builtin_sqrtf(static_cast<float>(D));
    parallel(c.threads, c.documents * G, [=](int64_t part) {
        const int64_t g = part % G, start = c.starts[part / G], L = c.starts[part / G + 1] - start, P = padded(L);
        const int64_t stride = (H + G) * D, LD = L * D, PD = P * D;
        const E* qk = static_cast<const E*>(c.qk) + start * stride;
        const E* v = static_cast<const E*>(c.v) + start * G * D + g * D;
        float* x = static_cast<float*>(phiforge_scratch((6 * LD + 2 * PD + 2 * L * P) * 4));
        float *keys = x + LD, *slope = keys + LD, *of_x = slope + LD, *of_keys = of_x + LD, *of_values = of_keys + LD;
        float *turned_keys = of_values + LD, *turned_values = turned_keys + PD, *p = turned_values + PD, *t = p + L * P;
        widen(v, G * D, L, D, x);
        transpose(x, L, D, P, turned_values);
        widen(qk + (H + g) * D, stride, L, D, keys);
        transpose(keys, L, D, P, turned_keys);
        for (int64_t i = 0; i < LD; i++) of_keys[i] = of_values[i] = 0;
        for (int64_t h = g * R; h < (g + 1) * R; h++) {
            widen(qk + h * D, stride, L, D, x);
            widen(static_cast<const E*>(c.slope) + (start * H + h) * D, H * D, L, D, slope);
            scores(x, turned_keys, L, D, P, p);
            scores(slope, turned_values, L, D, P, t);
            for (int64_t i = 0; i < L; i++) {
                float *chance = p + i * P, *steep = t + i * P;
                chances(chance, i, P, scale, c.logs[(start + i) * H + h]);
                vf along = {};
                int64_t end = (i + WIDTH) / WIDTH * WIDTH;  // what is beyond token i has no chance
                for (int64_t j = 0; j < end; j += WIDTH) along = fma(load(chance + j), load(steep + j), along);
                vf mean = splat(sum(along));
                int64_t computed = (i / ROWS + 1) * ROWS;
                computed = (computed + WIDTH - 1) / WIDTH * WIDTH;
                computed = computed < P ? computed : P;
                for (int64_t j = 0; j < computed; j += WIDTH)
                    store(steep + j, load(chance + j) * (load(steep + j) - mean) * splat(scale));
            }
            forward(t, keys, L, D, P, of_x);
            narrow(of_x, L, D, static_cast<E*>(c.of_qk) + start * stride + h * D, stride);
            back(t, x, L, D, P, of_keys);
            back(p, slope, L, D, P, of_values);
        }
        narrow(of_keys, L, D, static_cast<E*>(c.of_qk) + start * stride + (H + g) * D, stride);
        narrow(of_values, L, D, static_cast<E*>(c.of_v) + start * c.of_v_stride + g * D, c.of_v_stride);
    });
}

}  // namespace

PHIFORGE_EXPORT void KERNEL(packed_attend)(const PackedCall* call) {
    call->narrow ? attend<Narrow>(*call) : attend<float>(*call);
}

PHIFORGE_EXPORT void KERNEL(packed_attend_slope)(const PackedCall* call) {
    call->narrow ? attend_slope<Narrow>(*call) : attend_slope<float>(*call);
}
