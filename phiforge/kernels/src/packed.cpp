// Attention in training: documents laid end to end, each token sees itself and those before it in its own document, and the
// whole first document of its family. Values come in fp32 or bf16; scores, sums and gradients are fp32. A part of the work is a
// family and a group of heads that share keys.
//
//     L tokens of a document, which see K keys: F tokens of the family's first, unless it is that itself, and L of its own;
//     P: K padded to a multiple of the vector's width; D head dim, a multiple of it

#include "exp.h"
#include "kernels.h"

namespace {

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
void scores(const float* x, const float* y, int64_t L, int64_t F, int64_t D, int64_t P, float* out) {
    for (int64_t i = 0; i < L; i += ROWS) {
        int64_t rows = L - i < ROWS ? L - i : ROWS, end = F + i + rows, j = 0;
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

// out [L, D] = w [L, P] y [K, D], each row over the keys up to its own. What is beyond must be zero in w.
void forward(const float* w, const float* y, int64_t L, int64_t F, int64_t D, int64_t P, float* out) {
    for (int64_t i = 0; i < L; i += ROWS) {
        if (i + ROWS <= L)
            mix<ROWS>(y, 0, F + i + ROWS, D, out + i * D, false, [=](int r, int64_t t) { return w[(i + r) * P + t]; });
        else
            for (int64_t r = i; r < L; r++)
                mix<1>(y, 0, F + r + 1, D, out + r * D, false, [=](int, int64_t t) { return w[r * P + t]; });
    }
}

// out [K, D] += w^T [K, L] x [L, D], each key over the tokens that see it.
void back(const float* w, const float* x, int64_t L, int64_t F, int64_t D, int64_t P, float* out) {
    const int64_t K = F + L;
    for (int64_t j = 0; j < K; j += ROWS) {
        if (j + ROWS <= K)
            mix<ROWS>(x, j > F ? j - F : 0, L, D, out + j * D, true, [=](int r, int64_t t) { return w[t * P + j + r]; });
        else
            for (int64_t r = j; r < K; r++)
                mix<1>(x, r > F ? r - F : 0, L, D, out + r * D, true, [=](int, int64_t t) { return w[t * P + r]; });
    }
}

inline int64_t padded(int64_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

// Up to where `scores` has certainly computed the rows beside row i.
inline int64_t computed(int64_t i, int64_t L, int64_t F, int64_t P) {
    int64_t end = (i / ROWS + 1) * ROWS;
    end = padded(F + (end < L ? end : L));
    return end < P ? end : P;
}

// A row of scores, of which `seen` count, becomes chances: exp(scale * s - log), zero beyond, up to `end`.
inline void chances(float* s, int64_t seen, int64_t end, float scale, float log) {
    for (int64_t j = 0; j < end; j += WIDTH) store(s + j, exp(load(s + j) * splat(scale) - splat(log)));
    for (int64_t j = seen; j < end; j++) s[j] = 0;
}

// log of the sum of exp(scale * s) of a row's first `seen`.
inline float log_sum(const float* s, int64_t seen, float scale) {
    float most = s[0];
    for (int64_t j = 1; j < seen; j++) most = s[j] > most ? s[j] : most;
    float shift = most * scale;
    vf total = {};
    int64_t j = 0;
    for (; j + WIDTH <= seen; j += WIDTH) total = total + exp(load(s + j) * splat(scale) - splat(shift));
    float sum_ = sum(total);
    for (; j < seen; j++) sum_ += exp(splat(s[j] * scale - shift))[0];
    return shift + __builtin_logf(sum_);
}

// Keys or values that a document sees, [K, D]: `from` are the rows of all tokens, of this group.
template <class E>
void gather(const E* from, int64_t stride, int64_t first, int64_t F, int64_t start, int64_t L, int64_t D, float* to) {
    widen(from + first * stride, stride, F, D, to);
    widen(from + start * stride, stride, L, D, to + F * D);
}

template <class E>
void attend(const PackedCall& c) {
    const int64_t H = c.heads, G = c.groups, D = c.dim, R = H / G, stride = (H + G) * D;
    const float scale = 1 / __builtin_sqrtf(static_cast<float>(D));
    const E *qk = static_cast<const E*>(c.qk), *v = static_cast<const E*>(c.v);
    parallel(c.threads, c.documents * G, [=](int64_t part) {
        const int64_t g = part % G, document = part / G, leader = c.leaders[document];
        const int64_t start = c.starts[document], L = c.starts[document + 1] - start;
        const int64_t first = c.starts[leader], F = leader == document ? 0 : c.starts[leader + 1] - first;
        const int64_t K = F + L, P = padded(K);
        float* x = static_cast<float*>(phiforge_scratch((2 * L * D + 2 * K * D + P * D + L * P) * 4));
        float *o = x + L * D, *keys = o + L * D, *values = keys + K * D, *turned = values + K * D, *s = turned + P * D;
        gather(qk + (H + g) * D, stride, first, F, start, L, D, keys);
        transpose(keys, K, D, P, turned);
        gather(v + g * D, G * D, first, F, start, L, D, values);
        for (int64_t h = g * R; h < (g + 1) * R; h++) {
            widen(qk + start * stride + h * D, stride, L, D, x);
            scores(x, turned, L, F, D, P, s);
            for (int64_t i = 0; i < L; i++) {
                float log = c.logs[(start + i) * H + h] = log_sum(s + i * P, F + i + 1, scale);
                chances(s + i * P, F + i + 1, computed(i, L, F, P), scale, log);
            }
            forward(s, values, L, F, D, P, o);
            narrow(o, L, D, static_cast<E*>(c.out) + (start * H + h) * D, H * D);
        }
    });
}

template <class E>
void attend_slope(const PackedCall& c) {
    const int64_t H = c.heads, G = c.groups, D = c.dim, R = H / G, stride = (H + G) * D;
    const float scale = 1 / __builtin_sqrtf(static_cast<float>(D));
    const E *qk = static_cast<const E*>(c.qk), *v = static_cast<const E*>(c.v);
    parallel(c.threads, c.families * G, [=](int64_t part) {
        const int64_t g = part % G, leader = c.firsts[part / G], after = c.firsts[part / G + 1];
        const int64_t first = c.starts[leader], led = c.starts[leader + 1] - first;
        int64_t most = led;  // tokens of the longest document
        for (int64_t n = leader + 1; n < after; n++) {
            int64_t L = c.starts[n + 1] - c.starts[n];
            most = L > most ? L : most;
        }
        const int64_t room = after == leader + 1 ? led : led + most, wide = padded(room);  // keys, at most
        float* of_led = static_cast<float*>(
            phiforge_scratch((2 * led * D + 3 * most * D + 3 * room * D + 2 * wide * D + 2 * most * wide) * 4));
        float *x = of_led + 2 * led * D, *slope = x + most * D, *of_x = slope + most * D, *keys = of_x + most * D;
        float *of_keys = keys + room * D, *of_values = of_keys + room * D, *turned_keys = of_values + room * D;
        float *turned_values = turned_keys + wide * D, *p = turned_values + wide * D, *t = p + most * wide;
        for (int64_t i = 0; i < 2 * led * D; i++) of_led[i] = 0;
        for (int64_t n = after - 1; n >= leader; n--) {  // the first one last: then all of its gradient is there
            const int64_t start = c.starts[n], L = c.starts[n + 1] - start, F = n == leader ? 0 : led;
            const int64_t K = F + L, P = padded(K);
            gather(v + g * D, G * D, first, F, start, L, D, keys);
            transpose(keys, K, D, P, turned_values);
            gather(qk + (H + g) * D, stride, first, F, start, L, D, keys);
            transpose(keys, K, D, P, turned_keys);
            for (int64_t i = 0; i < K * D; i++) of_keys[i] = of_values[i] = 0;
            for (int64_t h = g * R; h < (g + 1) * R; h++) {
                widen(qk + start * stride + h * D, stride, L, D, x);
                widen(static_cast<const E*>(c.slope) + (start * H + h) * D, H * D, L, D, slope);
                scores(x, turned_keys, L, F, D, P, p);
                scores(slope, turned_values, L, F, D, P, t);
                for (int64_t i = 0; i < L; i++) {
                    const int64_t end = computed(i, L, F, P);
                    float *chance = p + i * P, *steep = t + i * P;
                    chances(chance, F + i + 1, end, scale, c.logs[(start + i) * H + h]);
                    vf along = {};
                    for (int64_t j = 0; j < end; j += WIDTH) along = fma(load(chance + j), load(steep + j), along);
                    vf mean = splat(sum(along));
                    for (int64_t j = 0; j < end; j += WIDTH)
                        store(steep + j, load(chance + j) * (load(steep + j) - mean) * splat(scale));
                }
                forward(t, keys, L, F, D, P, of_x);
                narrow(of_x, L, D, static_cast<E*>(c.of_qk) + start * stride + h * D, stride);
                back(t, x, L, F, D, P, of_keys);
                back(p, slope, L, F, D, P, of_values);
            }
            float *own_keys = of_keys + F * D, *own_values = of_values + F * D;
            if (n == leader) {
                for (int64_t i = 0; i < led * D; i++) own_keys[i] += of_led[i], own_values[i] += of_led[led * D + i];
            } else {
                for (int64_t i = 0; i < led * D; i++) of_led[i] += of_keys[i], of_led[led * D + i] += of_values[i];
            }
            narrow(own_keys, L, D, static_cast<E*>(c.of_qk) + start * stride + (H + g) * D, stride);
            narrow(own_values, L, D, static_cast<E*>(c.of_v) + start * c.of_v_stride + g * D, c.of_v_stride);
        }
    });
}

}  // namespace

PHIFORGE_EXPORT void KERNEL(packed_attend)(const PackedCall* call) {
    call->narrow ? attend<Bf16>(*call) : attend<float>(*call);
}

PHIFORGE_EXPORT void KERNEL(packed_attend_slope)(const PackedCall* call) {
    call->narrow ? attend_slope<Bf16>(*call) : attend_slope<float>(*call);
}
