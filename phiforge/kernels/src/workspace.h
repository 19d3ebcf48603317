// Memory that a kernel's threads share. (phiforge_scratch belongs to one thread, also to the one that started them.)
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

struct Workspace {
    char* data = nullptr;
    int64_t size = 0, used = 0;

    ~Workspace() { free(data); }

    // Room for `bytes` bytes of arrays in all, aligned to 64 bytes; what was there before is gone.
    void reserve(int64_t bytes) {
        used = 0;
        if (bytes <= size) return;
        free(data);
        size = (bytes + bytes / 4 + 4095) / 64 * 64;
        void* memory = nullptr;
        if (posix_memalign(&memory, 64, static_cast<size_t>(size))) {
            fprintf(stderr, "phiforge: no memory for %lld bytes of workspace\n", static_cast<long long>(bytes));
            abort();
        }
        data = static_cast<char*>(memory);
    }

    template <class T>
    T* take(int64_t n) {
        T* array = reinterpret_cast<T*>(data + used);
        used += padded(n * static_cast<int64_t>(sizeof(T)));
        return array;
    }

    static int64_t padded(int64_t bytes) { return (bytes + 63) / 64 * 64; }
};

}  // namespace
