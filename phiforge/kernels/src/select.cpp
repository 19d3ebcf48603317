// The greatest logits of each row, and the sum of the exponentials of all of them, in one pass over the row; and one drawn by
// its share of that sum.
//
// The pass for the greatest keeps that of every group of logits. At least k logits are as great as the k-th greatest of those, so
// only groups that reach it are looked into, and what is found there is sorted.

#include "exp.h"
#include "kernels.h"
#include "workspace.h"

#include <math.h>

namespace {

constexpr int64_t SEGMENT = 4096;  // logits that stay in the first cache between their maximum and their exponentials
constexpr float NONE = -__builtin_inff();

thread_local Workspace workspace;

// A logit and its place as one integer: the greater logit is greater, and of equal ones the first.
inline uint64_t ranked(float z, int64_t id) {
    union {
        float f;
        uint32_t bits;
    } x = {z + 0.0f};  // -0 equals 0
    uint32_t order = x.bits & 0x80000000u ? ~x.bits : x.bits | 0x80000000u;
    return static_cast<uint64_t>(order) << 32 | (0xffffffffu - static_cast<uint32_t>(id));
}

inline int64_t id_of(uint64_t ranked) { return 0xffffffffu - static_cast<uint32_t>(ranked); }

// Sorts a[begin, end), greatest first, as far as its first k places; no two are equal.
void sort_first(uint64_t* a, int64_t begin, int64_t end, int64_t k) {
    while (end - begin > 24) {
        uint64_t x = a[begin], y = a[begin + (end - begin) / 2], z = a[end - 1];
        uint64_t pivot = x > y ? (y > z ? y : x > z ? z : x) : (x > z ? x : y > z ? z : y);
        int64_t i = begin, j = end - 1;
        while (i <= j) {
            while (a[i] > pivot) i++;
            while (a[j] < pivot) j--;
            if (i <= j) {
                uint64_t swapped = a[i];
                a[i++] = a[j];
                a[j--] = swapped;
            }
        }
        if (i < k) sort_first(a, i, end, k);
        end = j + 1;
    }
    for (int64_t i = begin + 1; i < end; i++) {
        uint64_t x = a[i];
        int64_t j = i;
        for (; j > begin && a[j - 1] < x; j--) a[j] = a[j - 1];
        a[j] = x;
    }
}

inline float group_maximum(const float* z, int64_t n) {
    vf most[2] = {splat(NONE), splat(NONE)};
    int64_t i = 0;
    for (; i + 2 * WIDTH <= n; i += 2 * WIDTH)
        for (int c = 0; c < 2; c++) {
            vf v = load(z + i + c * WIDTH);
            most[c] = v > most[c] ? v : most[c];  // a NaN is not greater
        }
    most[0] = larger(most[0], most[1]);
    float result = NONE;
    for (int c = 0; c < WIDTH; c++) result = most[0][c] > result ? most[0][c] : result;
    for (; i < n; i++) result = z[i] > result ? z[i] : result;
    return result;
}

// e^x of x <= 0, to be summed: its relative error grows with -x, but what it adds falls faster.
inline vf power(vf x) {
    Power p = power_of_two(x * splat(0x1.715476p0f));
    return times_power(p.fraction, p.exponent);
}

struct Segment {
    float most;
    float total;  // of exp(z - most)
};

// The sum of exp((z - most) * steep). Where `most` is not finite, 0 or NaN.
float exponentials(const float* z, int64_t n, float most, float steep = 1) {
    float rest = 0;
    if (most == NONE) {
        for (int64_t i = 0; i < n; i++) rest += z[i] == z[i] ? 0 : z[i];
        return rest;
    }
    vf total[2] = {};
    int64_t i = 0;
    for (; i + 2 * WIDTH <= n; i += 2 * WIDTH)
        for (int c = 0; c < 2; c++) total[c] += power((load(z + i + c * WIDTH) - splat(most)) * splat(steep));
    for (; i < n; i++) rest += power(splat((z[i] - most) * steep))[0];
    return sum(total[0] + total[1]) + rest;
}

float combined(const Segment* segments, int64_t n) {
    float most = NONE;
    for (int64_t i = 0; i < n; i++) most = segments[i].most > most ? segments[i].most : most;
    if (most == __builtin_inff()) return most;
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        bool empty = segments[i].most == NONE;
        total += segments[i].total * (empty ? 1 : ::exp(static_cast<double>(segments[i].most) - most));
    }
    return most == NONE && total == 0 ? NONE : static_cast<float>(most + log(total));
}

void candidates(const float* z, int64_t width, int64_t k, const float* maxima, int64_t group, float* values,
                int64_t* ids) {
    int64_t groups = (width + group - 1) / group, n = 0;
    uint64_t* found = static_cast<uint64_t*>(phiforge_scratch((width + groups) * 8));
    float threshold = NONE;
    if (groups >= k) {
        for (int64_t g = 0; g < groups; g++) found[g] = ranked(maxima[g], g);
        sort_first(found, 0, groups, k);
        threshold = maxima[id_of(found[k - 1])];
    }
    for (int64_t g = 0; g < groups; g++) {
        if (maxima[g] < threshold || maxima[g] == NONE) continue;
        int64_t end = (g + 1) * group < width ? (g + 1) * group : width;
        for (int64_t i = g * group; i < end; i++)
            if (z[i] >= threshold && z[i] > NONE) found[n++] = ranked(z[i], i);
    }
    for (int64_t i = 0; n < k && i < width; i++)  // too few that are greater than -inf: the first of the others
        if (!(z[i] > NONE)) found[n++] = ranked(NONE, i);
    sort_first(found, 0, n, k);
    for (int64_t i = 0; i < k; i++) {
        ids[i] = id_of(found[i]);
        values[i] = z[ids[i]];
    }
}

}  // namespace

// The k greatest of each row, the greatest first.
PHIFORGE_EXPORT void KERNEL(top)(const TopCall* call) {
    const float* z = call->z;
    const int64_t rows = call->rows, width = call->width, stride = call->stride, k = call->k, threads = call->threads;
    int64_t group = width >= 128 * k ? 64 : width >= 64 * k ? 32 : 16;
    int64_t groups = (width + group - 1) / group, segments = (width + SEGMENT - 1) / SEGMENT;
    workspace.reserve(Workspace::padded(rows * groups * 4) + Workspace::padded(rows * segments * 8));
    float* maxima = workspace.take<float>(rows * groups);
    Segment* sums = workspace.take<Segment>(rows * segments);

    auto pass = [=](int64_t row, int64_t segment) {
        int64_t start = segment * SEGMENT, end = start + SEGMENT < width ? start + SEGMENT : width;
        const float* z_row = z + row * stride;
        float most = NONE;
        for (int64_t i = start; i < end; i += group) {
            float m = group_maximum(z_row + i, i + group < end ? group : end - i);
            maxima[row * groups + i / group] = m;
            most = m > most ? m : most;
        }
        sums[row * segments + segment] = {most, exponentials(z_row + start, end - start, most)};
    };
    auto finish = [=](int64_t row) {
        call->logsumexp[row] = combined(sums + row * segments, segments);
        candidates(z + row * stride, width, k, maxima + row * groups, group, call->values + row * k,
                   call->ids + row * k);
    };
    if (rows >= threads) {
        parallel(threads, rows, [=](int64_t row) {
            for (int64_t segment = 0; segment < segments; segment++) pass(row, segment);
            finish(row);
        });
    } else {
        parallel(threads, rows * segments, [=](int64_t part) { pass(part / segments, part % segments); });
        parallel(threads, rows, finish);
    }
}

// The first of the greatest of each row; 0 where nothing is greater than -inf.
PHIFORGE_EXPORT void KERNEL(argmax)(const ArgmaxCall* call) {
    const int64_t width = call->width;
    parallel(call->threads, call->rows, [=](int64_t row) {
        const float* z_row = call->z + row * call->stride;
        float most = NONE;
        int64_t best = 0;
        for (int64_t i = 0; i < width; i += 256) {
            float m = group_maximum(z_row + i, i + 256 < width ? 256 : width - i);
            if (m > most) most = m, best = i;
        }
        while (most > NONE && z_row[best] != most) best++;
        call->ids[row] = best;
    });
}

// What a draw falls on. The segment is found by its sum, and the id within it by adding up again.
PHIFORGE_EXPORT void KERNEL(draw)(const DrawCall* call) {
    const int64_t width = call->width, segments = (width + SEGMENT - 1) / SEGMENT;
    workspace.reserve(Workspace::padded(call->rows * segments * 8));
    Segment* sums = workspace.take<Segment>(call->rows * segments);
    parallel(call->threads, call->rows, [=](int64_t row) {
        const float* z = call->z + row * call->stride;
        const float steep = 1 / call->temperature[row];
        Segment* parts = sums + row * segments;
        float most = NONE;
        for (int64_t s = 0; s < segments; s++) {
            int64_t start = s * SEGMENT, n = start + SEGMENT < width ? SEGMENT : width - start;
            float m = group_maximum(z + start, n);
            parts[s] = {m, exponentials(z + start, n, m, steep)};
            most = m > most ? m : most;
        }
        auto share = [=](int64_t s) {
            if (parts[s].most == NONE) return 0.0;
            return parts[s].total * ::exp((static_cast<double>(parts[s].most) - most) * steep);
        };
        double total = 0, below = 0;
        for (int64_t s = 0; s < segments; s++) total += share(s);
        const double wanted = call->draw[row] * total;
        int64_t chosen = 0;
        while (chosen + 1 < segments && !(below + share(chosen) > wanted)) below += share(chosen++);
        while (chosen > 0 && share(chosen) == 0) chosen--;  // rounding has led beyond the last that has a share
        const int64_t start = chosen * SEGMENT, n = start + SEGMENT < width ? SEGMENT : width - start;
        const double scale = ::exp((static_cast<double>(parts[chosen].most) - most) * steep);
        int64_t id = start;
        for (int64_t i = 0; i < n && !(below > wanted); i += WIDTH) {
            float each[WIDTH];
            store(each, power((read(z + start + i, n - i) - splat(parts[chosen].most)) * splat(steep)));
            for (int64_t c = 0; c < WIDTH && i + c < n && !(below > wanted); c++)
                if (each[c] > 0) {
                    below += each[c] * scale;
                    id = start + i + c;
                }
        }
        call->ids[row] = id;
    });
}

// -inf where bit i % 32 of word i / 32 is 0.
PHIFORGE_EXPORT void KERNEL(mask)(const MaskCall* call) {
    const int64_t width = call->width;
    vi lane = {};
    for (int c = 0; c < WIDTH; c++) lane[c] = 1 << c;
    parallel(call->threads, call->rows, [=](int64_t row) {
        float* z_row = call->z + row * call->stride;
        const int32_t* words = call->bits + row * call->bits_stride;
        for (int64_t i = 0; i < width; i += 32) {
            uint32_t word = static_cast<uint32_t>(words[i / 32]);
            if (word == 0xffffffffu) continue;
            if (i + 32 > width) {
                for (int64_t c = 0; i + c < width; c++)
                    if (!(word >> c & 1)) z_row[i + c] = NONE;
                continue;
            }
            for (int64_t c = 0; c < 32; c += WIDTH) {
                vi set = (vi{} + static_cast<int32_t>(word >> c)) & lane;
                store(z_row + i + c, set == 0 ? splat(NONE) : load(z_row + i + c));
            }
        }
    });
}
