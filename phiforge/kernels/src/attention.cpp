// Attention over blocks of 16 tokens (attention.py), as a softmax that is merged from parts.
//
// Every run is cut where the position is a multiple of CHUNK tokens, so that one long sequence is work for many threads.
// A part's weights are powers of two relative to 2^M, M an integer near the greatest score: p = 2^(s - M), with the
// scores in base-2 units. Changing M multiplies what was summed by a power of two, which is exact. So the order of the
// sums alone decides a row's result, bit for bit, and that order is by position: keys of a chunk one after another,
// chunks one after another. Where a run ends inside a chunk, the run that follows it goes on from the same sums. Neither
// the other rows nor how its sequence is cut into runs of whole blocks changes a row's result.
//
//   D head dim, R query heads per key/value head; a query row is a token's query of one head

#include "attention_products.h"
#include "exp.h"
#include "kernels.h"
#include "workspace.h"

namespace {

constexpr int CHUNK = 16;        // blocks
constexpr int TILE = 48;         // query rows that share keys and values in the cache
constexpr int NOTHING = -(1 << 30);  // M of a row that has seen no key
constexpr int64_t MOST_SUMS = 48 << 20;  // bytes of partial sums at once; more query rows go one part after another

// ---- The plan: which part of which run adds to which sums

// A run's blocks within one chunk. Its entries are the tokens that see some of its keys.
struct Part {
    const int32_t* blocks;
    int64_t start;  // position of its first key
    int64_t n_keys;
    int64_t first, last;  // entries
    int32_t level;        // parts of a level do not depend on each other; each needs those of lower levels
};

struct Entry {
    int32_t token;
    int32_t sums;  // number among the token's
    bool goes_on;  // from what an earlier part has summed
};

struct Unit {
    int32_t part, head, first, last;  // some of the part's entries, for one key/value head
};

struct Call {
    const float* q;
    int64_t q_stride, H;
    float* out;
    const PoolLayer* layer;
    int64_t G, R, D;
    int64_t width;      // D, rounded up to whole vectors
    int64_t sums_size;  // floats of one query row's sums: values [width], weights [WIDTH], M
    const int32_t* positions;
    float scale;
    Part* parts;
    Entry* entries;
    float* sums;
    int32_t* first_sums;  // of each token

    float* sums_of(int32_t token, int32_t i, int64_t h) const {
        return sums + ((first_sums[token] + i) * H + h) * sums_size;
    }
};

// Memory of a unit: TILE query rows and STEP blocks.
struct Tile {
    float *q, *weights, *out, *totals, *keys, *values;
    int32_t* most;

    static int64_t bytes(const Call& c, int64_t rows) {
        return 4 * (rows * (c.D + STEP * BLOCK + c.width + 2 * WIDTH) + STEP * BLOCK * (c.D + c.width)) + 7 * 64;
    }
    Tile(const Call& c, int64_t rows) {
        char* at = static_cast<char*>(phiforge_scratch(bytes(c, rows)));
        auto take = [&](int64_t n) {
            char* array = at;
            at += Workspace::padded(4 * n);
            return reinterpret_cast<float*>(array);
        };
        q = take(rows * c.D);
        weights = take(rows * STEP * BLOCK);
        out = take(rows * c.width);
        totals = take(rows * WIDTH);
        keys = take(STEP * BLOCK * c.D);
        values = take(STEP * BLOCK * c.width);
        most = reinterpret_cast<int32_t*>(take(rows));
    }
};

// Scores of one query row become weights; of its `n` first keys, that is, and 0 for the rest.
void soften(float* s, int64_t n, int64_t padded, float* out, int64_t width, float* totals, int32_t* most) {
    if (n <= 0) {
        for (int64_t i = 0; i < padded; i += WIDTH) store(s + i, vf{});
        return;
    }
    for (int64_t i = n; i < padded; i++) s[i] = -__builtin_inff();
    vf greatest = splat(-__builtin_inff());
    for (int64_t i = 0; i < padded; i += WIDTH) {
        vf x = load(s + i);
        greatest = x > greatest ? x : greatest;
    }
    float score = largest(greatest);
    score = score > 0x1p20f ? 0x1p20f : score;
    int32_t old = *most;
    if (score >= -0x1p20f) {
        int32_t rounded = static_cast<int32_t>(__builtin_rintf(score));
        *most = rounded > old ? rounded : old;
    }
    vf total = load(totals);
    if (*most > old && old != NOTHING) {
        vi shift = vi{} + (old - *most);
        for (int64_t i = 0; i < width; i += WIDTH) store(out + i, times_power(load(out + i), shift));
        total = times_power(total, shift);
    }
    vi reference = vi{} - *most;
    for (int64_t i = 0; i < padded; i += WIDTH) {
        Power p = power_of_two(load(s + i));
        vf weight = times_power(p.fraction, p.exponent + reference);
        total += weight;
        store(s + i, weight);
    }
    store(totals, total);
}

template <class E, class Stored>
void convert(const Stored* from, int64_t n, E* to) {
    int64_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) store(to + i, load_as(from + i));
    for (; i < n; i++) {
        Stored one[WIDTH] = {from[i]};
        to[i] = load_as(one)[0];
    }
}

template <class E>
void compute(const Call& c, const Unit& unit) {
    const Part& part = c.parts[unit.part];
    const int64_t D = c.D, R = c.R, G = c.G, width = c.width, g = unit.head;
    const int tokens = unit.last - unit.first, rows = static_cast<int>(tokens * R);
    const Entry* entries = c.entries + unit.first;
    Tile tile(c, rows);

    int64_t n_keys = 0;  // that the tile's furthest row sees
    for (int t = 0; t < tokens; t++) {
        int64_t seen = c.positions[entries[t].token] - part.start + 1;
        n_keys = seen > n_keys ? seen : n_keys;
        for (int64_t r = 0; r < R; r++) {
            int64_t row = t * R + r, h = g * R + r;
            const float* q = c.q + entries[t].token * c.q_stride + h * D;
            for (int64_t d = 0; d < D; d++) tile.q[row * D + d] = q[d] * c.scale;
            if (entries[t].goes_on) {
                const float* sums = c.sums_of(entries[t].token, entries[t].sums, h);
                __builtin_memcpy(tile.out + row * width, sums, width * 4);
                __builtin_memcpy(tile.totals + row * WIDTH, sums + width, WIDTH * 4);
                __builtin_memcpy(tile.most + row, sums + width + WIDTH, 4);
            } else {
                __builtin_memset(tile.out + row * width, 0, width * 4);
                __builtin_memset(tile.totals + row * WIDTH, 0, WIDTH * 4);
                tile.most[row] = NOTHING;
            }
        }
    }
    if (n_keys > part.n_keys) n_keys = part.n_keys;

    const E* keys = static_cast<const E*>(c.layer->keys);
    const E* values = static_cast<const E*>(c.layer->values);
    constexpr bool stored_as_fp32 = sizeof(E) == 4, scaled = sizeof(E) == 1;
    // Where many rows read what has to be converted, it is converted once.
    const bool convert_keys = !stored_as_fp32 && rows > ROWS;
    const bool convert_values = convert_keys || width != D;

    for (int64_t at = 0; at < n_keys; at += STEP * BLOCK) {
        int64_t n = n_keys - at < STEP * BLOCK ? n_keys - at : STEP * BLOCK;
        int n_blocks = static_cast<int>((n + BLOCK - 1) / BLOCK);
        int64_t padded = n_blocks * BLOCK;
        const E *k[STEP], *v[STEP];
        const float *k_fp32[STEP], *v_fp32[STEP], *k_scale[STEP], *v_scale[STEP];
        for (int b = 0; b < n_blocks; b++) {
            int64_t block = part.blocks[at / BLOCK + b] * G + g;
            k[b] = keys + block * D * BLOCK;
            v[b] = values + block * D * BLOCK;
            if (scaled) {
                k_scale[b] = c.layer->key_scales + block * BLOCK;
                v_scale[b] = c.layer->value_scales + block * BLOCK;
            }
            if (convert_keys) {
                convert(k[b], D * BLOCK, tile.keys + b * D * BLOCK);
                k_fp32[b] = tile.keys + b * D * BLOCK;
            }
            if (convert_values) {
                float* to = tile.values + b * width * BLOCK;
                int64_t stored = n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK;
                for (int64_t i = 0; i < stored; i++) {
                    convert(v[b] + i * D, D, to + i * width);
                    for (int64_t d = D; d < width; d++) to[i * width + d] = 0;
                }
                v_fp32[b] = to;
            }
        }
        if (convert_keys)
            score_rows<ROWS>(rows, tile.q, D, k_fp32, n_blocks, tile.weights);
        else
            score_rows<ROWS>(rows, tile.q, D, k, n_blocks, tile.weights);
        for (int row = 0; row < rows; row++) {
            float* weights = tile.weights + row * STEP * BLOCK;
            if (scaled)
                for (int64_t i = 0; i < padded; i += WIDTH)
                    store(weights + i, load(weights + i) * load(k_scale[i / BLOCK] + i % BLOCK));
            int64_t seen = c.positions[entries[row / R].token] - part.start - at + 1;
            soften(weights, seen < n ? seen : n, padded, tile.out + row * width, width, tile.totals + row * WIDTH,
                   tile.most + row);
            if (scaled)
                for (int64_t i = 0; i < padded; i += WIDTH)
                    store(weights + i, load(weights + i) * load(v_scale[i / BLOCK] + i % BLOCK));
        }
        if (convert_values)
            weigh_rows<ROWS>(rows, tile.weights, v_fp32, width, n, tile.out);
        else
            weigh_rows<ROWS>(rows, tile.weights, v, width, n, tile.out);
    }

    for (int row = 0; row < rows; row++) {
        const Entry& entry = entries[row / R];
        float* sums = c.sums_of(entry.token, entry.sums, g * R + row % R);
        __builtin_memcpy(sums, tile.out + row * width, width * 4);
        __builtin_memcpy(sums + width, tile.totals + row * WIDTH, WIDTH * 4);
        __builtin_memcpy(sums + width + WIDTH, tile.most + row, 4);
    }
}

// A token's result of one head: its chunks' sums, in order, divided by the sum of all weights.
void merge(const Call& c, int32_t token, int64_t h, int32_t n) {
    auto most_of = [&](int32_t i) {
        int32_t most;
        __builtin_memcpy(&most, c.sums_of(token, i, h) + c.width + WIDTH, 4);
        return most;
    };
    int32_t most = NOTHING;
    for (int32_t i = 0; i < n; i++) most = most_of(i) > most ? most_of(i) : most;
    float* sums = c.sums_of(token, 0, h);
    for (int32_t i = 0; i < n; i++) {
        const float* more = c.sums_of(token, i, h);
        vi shift = vi{} + (most_of(i) - most);
        for (int64_t d = 0; d < c.width + WIDTH; d += WIDTH) {
            vf x = times_power(load(more + d), shift);
            store(sums + d, i ? load(sums + d) + x : x);
        }
    }
    vf total = splat(sum(load(sums + c.width)));
    float* out = c.out + (token * c.H + h) * c.D;
    int64_t d = 0;
    for (; d + WIDTH <= c.D; d += WIDTH) store(out + d, load(sums + d) / total);
    for (; d < c.D; d++) out[d] = sums[d] / total[0];
}

thread_local Workspace workspace;

struct Plan {
    int32_t n_runs, n_tokens;
    const int32_t *starts, *lengths, *first_block, *first_row, *blocks, *rows, *positions;

    explicit Plan(const int32_t* p) : n_runs(p[0]), n_tokens(p[1]) {
        starts = p + 2;
        lengths = starts + n_runs;
        first_block = lengths + n_runs;
        first_row = first_block + n_runs + 1;
        blocks = first_row + n_runs + 1;
        rows = blocks + first_block[n_runs];
        positions = rows + first_row[n_runs];
    }
};

inline int64_t chunk_of(int64_t start, int64_t block) { return ((start >> 4) + block) / CHUNK; }

// Attention of the tokens from `begin` up to `end`.
void attend_some(Call& c, const Plan& plan, int32_t begin, int32_t end, int64_t threads) {
    int64_t n_parts = 0, n_entries = 0, most_parts = 0, most_entries = 0;
    for (int32_t run = 0; run < plan.n_runs; run++) {
        int64_t parts = (plan.lengths[run] - 1) / (BLOCK * CHUNK) + 2;
        most_parts += parts;
        most_entries += parts * (plan.first_row[run + 1] - plan.first_row[run]);
    }
    int64_t most_units = 0, n_tokens = end - begin, tokens_per_tile = TILE / c.R ? TILE / c.R : 1;
    most_units = (most_parts + most_entries / tokens_per_tile) * c.G;
    // Sums have a workspace of their own, for how many there are shows only once the rest is known.
    static thread_local Workspace sums_workspace;
    auto bytes = [](int64_t n, int64_t size) { return Workspace::padded(n * size); };
    workspace.reserve(bytes(most_parts, sizeof(Part)) + bytes(most_entries, sizeof(Entry)) +
                      bytes(most_units, sizeof(Unit)) + bytes(n_tokens, 4) * 4);
    c.parts = workspace.take<Part>(most_parts);
    c.entries = workspace.take<Entry>(most_entries);
    Unit* units = workspace.take<Unit>(most_units);
    int32_t* n_sums = workspace.take<int32_t>(n_tokens) - begin;
    int32_t* open = workspace.take<int32_t>(n_tokens) - begin;  // chunk of a token's last sums
    int32_t* level = workspace.take<int32_t>(n_tokens) - begin;
    c.first_sums = workspace.take<int32_t>(n_tokens) - begin;
    for (int32_t t = begin; t < end; t++) n_sums[t] = level[t] = 0, open[t] = -1;

    int32_t levels = 0;
    int64_t work = 0;
    for (int32_t run = 0; run < plan.n_runs; run++) {  // by their starts
        const int64_t start = plan.starts[run], length = plan.lengths[run];
        for (int64_t block = 0; block * BLOCK < length;) {
            const int64_t chunk = chunk_of(start, block);
            int64_t next = block + 1;
            while (next * BLOCK < length && chunk_of(start, next) == chunk) next++;
            Part& part = c.parts[n_parts];
            part.blocks = plan.blocks + plan.first_block[run] + block;
            part.start = start + block * BLOCK;
            part.n_keys = (next * BLOCK < length ? next * BLOCK : length) - block * BLOCK;
            part.first = n_entries;
            part.level = 0;
            for (int32_t i = plan.first_row[run]; i < plan.first_row[run + 1]; i++) {
                const int32_t token = plan.rows[i];
                if (token < begin || token >= end || plan.positions[token] < part.start) continue;
                bool goes_on = open[token] == chunk;
                if (goes_on && level[token] >= part.level) part.level = level[token] + 1;
                if (!goes_on) n_sums[token]++;
                c.entries[n_entries++] = {token, n_sums[token] - 1, goes_on};
                open[token] = static_cast<int32_t>(chunk);
            }
            block = next;
            part.last = n_entries;
            if (part.first == part.last) continue;
            for (int64_t e = part.first; e < part.last; e++) level[c.entries[e].token] = part.level;
            if (part.level >= levels) levels = part.level + 1;
            work += part.n_keys * (part.last - part.first);
            n_parts++;
        }
    }
    int32_t total = 0;
    for (int32_t t = begin; t < end; t++) c.first_sums[t] = total, total += n_sums[t];
    sums_workspace.reserve(bytes(total * c.H * c.sums_size, 4));
    c.sums = sums_workspace.take<float>(total * c.H * c.sums_size);

    if (work * c.H * c.D < 100000) threads = 1;  // multiply-adds, twice; starting threads takes as long
    for (int32_t l = 0; l < levels; l++) {
        // In the order of their first tokens, so that a thread's share is about the tokens that it has in its cache.
        auto each = [&](const auto& visit) {
            for (int32_t p = 0; p < n_parts; p++) {
                const Part& part = c.parts[p];
                if (part.level != l) continue;
                for (int64_t e = part.first; e < part.last; e += tokens_per_tile) {
                    int64_t last = e + tokens_per_tile < part.last ? e + tokens_per_tile : part.last;
                    visit(p, static_cast<int32_t>(e), static_cast<int32_t>(last));
                }
            }
        };
        int32_t* place = level;  // levels are known, and the array is free
        for (int32_t t = begin; t < end; t++) place[t] = 0;
        each([&](int32_t, int32_t first, int32_t) { place[c.entries[first].token] += static_cast<int32_t>(c.G); });
        int32_t n = 0;
        for (int32_t t = begin; t < end; t++) {
            int32_t count = place[t];
            place[t] = n;
            n += count;
        }
        each([&](int32_t p, int32_t first, int32_t last) {
            for (int32_t g = 0; g < c.G; g++) units[place[c.entries[first].token]++] = {p, g, first, last};
        });
        parallel(threads, n, [&](int64_t i) {
            if (c.layer->dtype == 0) compute<float>(c, units[i]);
            if (c.layer->dtype == 1) compute<bf16>(c, units[i]);
            if (c.layer->dtype == 2) compute<int8_t>(c, units[i]);
        });
    }
    const int64_t step = 64 / c.H + 1;
    parallel(threads, (n_tokens + step - 1) / step, [&](int64_t i) {
        for (int64_t t = begin + i * step; t < begin + (i + 1) * step && t < end; t++)
            for (int64_t h = 0; h < c.H; h++) merge(c, static_cast<int32_t>(t), h, n_sums[t]);
    });
}

}  // namespace

PHIFORGE_EXPORT void KERNEL(attend)(const AttendCall* call) {
    const Plan plan(call->plan);
    Call c = {};
    c.q = call->q, c.q_stride = call->q_stride, c.H = call->heads, c.out = call->out, c.layer = call->layer;
    c.G = call->layer->heads, c.R = c.H / c.G, c.D = call->layer->dim;
    c.width = (c.D + WIDTH - 1) / WIDTH * WIDTH;
    c.sums_size = (c.width + WIDTH + 1 + 15) / 16 * 16;
    c.positions = plan.positions;
    c.scale = static_cast<float>(1.4426950408889634 / __builtin_sqrt(static_cast<double>(c.D)));
    for (int32_t begin = 0, t = 0; begin < plan.n_tokens; begin = t) {
        int64_t sums = 0;
        for (t = begin; t < plan.n_tokens && (t == begin || sums * c.H * c.sums_size * 4 < MOST_SUMS); t++)
            sums += plan.positions[t] / (BLOCK * CHUNK) + 1;
        attend_some(c, plan, begin, t, call->threads);
    }
}

PHIFORGE_EXPORT void KERNEL(attend_qkv)(const QkvCall* call) {
    const PoolLayer& layer = *call->layer;
    const int64_t heads = call->heads, stride = call->stride, tokens = call->tokens;
    float *q = call->qkv, *k = q + heads * layer.dim, *v = k + layer.heads * layer.dim;
    const RotateCall rotation = {q, stride, call->cos, call->sin, q, stride, tokens, heads + layer.heads, layer.dim,
                                 call->half, call->threads};
    KERNEL(rotate)(&rotation);
    const StoreCall stored = {k, stride, v, stride, call->slots, tokens, call->layer, call->threads};
    KERNEL(store_tokens)(&stored);
    const AttendCall attention = {q, stride, heads, call->out, call->layer, call->plan, call->threads};
    KERNEL(attend)(&attention);
}
