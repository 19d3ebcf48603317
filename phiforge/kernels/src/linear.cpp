// out = x W^T for W in the three formats of formats.py, on blocks of 16 outputs. Activations are rounded to integers
// for int8 and int4, each group of a row with a scale of its own, and stay floats for bf16. A row's result does not
// depend on the other rows.

#include "activations.h"
#include "dots.h"
#include "kernels.h"

namespace {

constexpr int64_t PASS = 512;            // rows at a time: bounds the scratch memory
constexpr int64_t CACHE = 256 * 1024;    // bytes of activations that stay in a core's cache while weights pass
constexpr int64_t TASK = 128 * 1024;     // products (or, of one row, weights) that are worth a task of their own
constexpr int TASKS_PER_THREAD = 4;      // so that threads end together, though cores differ

// Where results go: n outputs a row, `stride` apart; added to what is there, or stored.
struct Out {
    float* data;
    int64_t n, stride;
    bool add;

    void put(int64_t row, int64_t block, const float* tile) const {
        float* to = data + row * stride + block * LANES;
        int64_t count = n - block * LANES;
        if (count >= LANES) {
            for (int i = 0; i < LANES; i += WIDTH) {
                vf value = load(tile + i);
                store(to + i, add ? load(to + i) + value : value);
            }
            return;
        }
        for (int64_t i = 0; i < count; i++) to[i] = add ? to[i] + tile[i] : tile[i];
    }
};

// visit(row, count) over rows first..last in tiles of R, and the rest in smaller ones; count is a type's constant.
template <int R>
struct Count {
    static constexpr int value = R;
};
template <int R, class Visit>
inline void tiles(int64_t first, int64_t last, const Visit& visit) {
    for (; first + R <= last; first += R) visit(first, Count<R>());
    if constexpr (R > 1)
        if (first < last) tiles<R - 1>(first, last, visit);
}

// A piece of a product: some blocks of outputs of some rows.
struct Share {
    int64_t block, last_block, row, last_row;
};

// Calls work(Share) until all of the product is done, from several threads.
template <class Work>
void share(int64_t m, int64_t n, int64_t k, int64_t row_bytes, int64_t row_tile, int64_t threads, const Work& work) {
    int64_t blocks = (n + LANES - 1) / LANES, products = m * k * blocks * LANES;
    int64_t useful = products / TASK + 1;
    if (threads > useful) threads = useful;
    int64_t rows = CACHE / row_bytes / row_tile * row_tile;
    if (rows < row_tile) rows = row_tile;
    // Tasks are runs of blocks, with all rows; fewer rows each where there are few blocks.
    int64_t wanted = threads > 1 ? threads * TASKS_PER_THREAD : 1;
    if (wanted > useful) wanted = useful;
    int64_t runs = blocks < wanted ? blocks : wanted;
    int64_t splits = runs >= wanted ? 1 : (wanted + runs - 1) / runs;
    int64_t most = (m + row_tile - 1) / row_tile;
    if (splits > most) splits = most;
    int64_t part = (most + splits - 1) / splits * row_tile;
    splits = (m + part - 1) / part;
    parallel(threads, runs * splits, [&](int64_t task) {
        int64_t run = task % runs, first = blocks * run / runs, last = blocks * (run + 1) / runs;
        int64_t row = task / runs * part, end = row + part < m ? row + part : m;
        for (; row < end; row += rows) work(Share{first, last, row, row + rows < end ? row + rows : end});
    });
}

int64_t rounded(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

}  // namespace

PHIFORGE_EXPORT void KERNEL(linear_int8)(const LinearCall* call) {
    const LinearCall c = *call;
    const int8_t* data = static_cast<const int8_t*>(c.data);
    const float* scales = static_cast<const float*>(c.scales);
    int64_t quads = (c.k + 3) / 4, groups = (quads + QUADS - 1) / QUADS;
    int64_t stride = rounded(c.k, 64) + 64;  // no power of two: rows would share cache sets
    for (int64_t start = 0; start < c.m; start += PASS) {
        int64_t rows = c.m - start < PASS ? c.m - start : PASS;
        char* scratch = static_cast<char*>(phiforge_scratch(rows * (stride * sizeof(Narrow) + 8 * groups)));
        Narrow* q = reinterpret_cast<Narrow*>(scratch);
        float* factors = reinterpret_cast<float*>(q + rows * stride);
        float* sums = factors + rows * groups;
        parallel(rows * c.k < 16384 ? 1 : c.threads, rows, [&](int64_t r) {
            quantise_row(c.x + (start + r) * c.x_stride, c.k, 4 * QUADS, q + r * stride, factors + r * groups,
                         sums + r * groups, [](float total, float) { return -128 * total; });
        });
        const Rows<Narrow> x = {q, stride, factors, sums, groups};
        Out to = {c.out + start * c.out_stride, c.n, c.out_stride, c.add != 0};
        share(rows, c.n, c.k, stride * sizeof(Narrow), INT8_ROWS, c.threads, [&](const Share& part) {
            int64_t block = part.block;
            auto some = [&](auto blocks) {
                constexpr int B = decltype(blocks)::value;
                for (; block + B <= part.last_block; block += B)
                    tiles<INT8_ROWS>(part.row, part.last_row, [&](int64_t row, auto count) {
                        constexpr int R = decltype(count)::value;
                        float tile[B * R][LANES];
                        dot_int8<R, B>(data + block * quads * 64, scales + block * LANES, quads, x, row, tile);
                        for (int i = 0; i < B * R; i++) to.put(row + i % R, block + i / R, tile[i]);
                    });
            };
            some(Count<INT8_BLOCKS>());
            some(Count<1>());
        });
    }
}

PHIFORGE_EXPORT void KERNEL(linear_int4)(const LinearCall* call) {
    const LinearCall c = *call;
    const uint8_t* data = static_cast<const uint8_t*>(c.data);
    const uint16_t* scales = static_cast<const uint16_t*>(c.scales);
    int64_t groups = c.k / c.group, stride = rounded(c.k, 64) + 64;
    for (int64_t start = 0; start < c.m; start += PASS) {
        int64_t rows = c.m - start < PASS ? c.m - start : PASS;
        char* scratch = static_cast<char*>(phiforge_scratch(rows * (stride + 8 * groups)));
        int8_t* q = reinterpret_cast<int8_t*>(scratch);
        float* factors = reinterpret_cast<float*>(q + rows * stride);
        float* sums = factors + rows * groups;
        parallel(rows * c.k < 16384 ? 1 : c.threads, rows, [&](int64_t r) {
            quantise_row(c.x + (start + r) * c.x_stride, c.k, c.group, q + r * stride, factors + r * groups,
                         sums + r * groups, [](float total, float scale) { return total * scale; });
        });
        const Rows<int8_t> x = {q, stride, factors, sums, groups};
        Out to = {c.out + start * c.out_stride, c.n, c.out_stride, c.add != 0};
        share(rows, c.n, c.k, stride, INT4_ROWS, c.threads, [&](const Share& part) {
            for (int64_t block = part.block; block < part.last_block; block++)
                tiles<INT4_ROWS>(part.row, part.last_row, [&](int64_t row, auto count) {
                    constexpr int R = decltype(count)::value;
                    float tile[R][LANES];
                    dot_int4<R>(data + block * c.k * 8, scales + block * groups * 32, c.group, x, row, tile);
                    for (int r = 0; r < R; r++) to.put(row + r, block, tile[r]);
                });
        });
    }
}

PHIFORGE_EXPORT void KERNEL(linear_bf16)(const LinearCall* call) {
    const LinearCall c = *call;
    const uint16_t* data = static_cast<const uint16_t*>(c.data);
    Out to = {c.out, c.n, c.out_stride, c.add != 0};
    share(c.m, c.n, c.k, c.k * 4, BF16_ROWS, c.threads, [&](const Share& part) {
        int64_t block = part.block;
        for (; part.last_row == part.row + 1 && block + 4 <= part.last_block; block += 4) {
            float tile[4][LANES];
            dot_bf16<1, 4>(data + block * c.k * LANES, c.k, c.x + part.row * c.x_stride, c.x_stride, tile);
            for (int b = 0; b < 4; b++) to.put(part.row, block + b, tile[b]);
        }
        for (; block < part.last_block; block++)
            tiles<BF16_ROWS>(part.row, part.last_row, [&](int64_t row, auto count) {
                constexpr int R = decltype(count)::value;
                float tile[R][LANES];
                dot_bf16<R, 1>(data + block * c.k * LANES, c.k, c.x + row * c.x_stride, c.x_stride, tile);
                for (int r = 0; r < R; r++) to.put(row + r, block, tile[r]);
            });
    });
}
