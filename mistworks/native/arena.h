// Scratch memory of one thread, kept from sample to sample: asking the system for it takes a tenth of the time.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace mistworks {

class Arena {
  public:
    // Everything that is allocated while a Scope lives is free again when it ends.
    class Scope {
      public:
        explicit Scope(Arena& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {}
        ~Scope() { arena_.rewind(block_, used_); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        Arena& arena_;
        size_t block_, used_;
    };

    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() { keep(0); }

    // `count` values, not initialised, at a multiple of 64 bytes.
    template <class T> T* get(size_t count) { return static_cast<T*>(raw(count * sizeof(T))); }
    template <class T> T* zeros(size_t count) {
        return static_cast<T*>(std::memset(raw(count * sizeof(T)), 0, count * sizeof(T)));
    }

    // Give back to the system what is beyond so many bytes. Nothing may be in use.
    void keep(size_t bytes) {
        size_t total = 0, kept = 0;
        for (; kept < blocks_.size() && total + blocks_[kept].size <= bytes; ++kept) total += blocks_[kept].size;
        drop(kept);
        block_ = used_ = 0;
    }

  private:
    struct Block {
        char* memory;
        size_t size;
    };
#if defined(__SANITIZE_ADDRESS__)
    // One block an allocation, so that the sanitizer sees the ends of each.
    static constexpr bool SHARED = false;
#else
    static constexpr bool SHARED = true;
#endif

    static constexpr size_t LEAST = size_t(1) << 22;
    static constexpr size_t HUGE_PAGE = size_t(1) << 21;

    // Tables of a million ranks are read in random order: of pages of 4 KiB most addresses would be looked up anew.
    static void ask_for_huge_pages(void* memory, size_t size) {
#if defined(MADV_HUGEPAGE)
        if (size >= 4 * HUGE_PAGE) madvise(memory, size, MADV_HUGEPAGE);
#else
        (void)memory, (void)size;
#endif
    }

    void* raw(size_t bytes) {
        bytes = SHARED ? (bytes + 63) & ~size_t(63) : bytes;
        while (block_ < blocks_.size() && (used_ + bytes > blocks_[block_].size || (!SHARED && used_))) {
            ++block_;
            used_ = 0;
        }
        if (block_ == blocks_.size()) {
            const size_t size = SHARED && bytes < LEAST ? LEAST : bytes;
            void* memory = nullptr;
            if (posix_memalign(&memory, SHARED ? HUGE_PAGE : 64, size ? size : 1)) throw std::bad_alloc();
            ask_for_huge_pages(memory, size);
            try {
                blocks_.push_back({static_cast<char*>(memory), size});
            } catch (...) {
                std::free(memory);
                throw;
            }
            used_ = 0;
        }
        void* found = blocks_[block_].memory + used_;
        used_ += SHARED || bytes ? bytes : 1;
        return found;
    }
    void rewind(size_t block, size_t used) {
        block_ = block;
        used_ = used;
        if (!SHARED) drop(used ? block + 1 : block);
    }
    void drop(size_t from) {
        for (size_t i = from; i < blocks_.size(); ++i) std::free(blocks_[i].memory);
        if (from < blocks_.size()) blocks_.resize(from);
    }

    std::vector<Block> blocks_;
    size_t block_ = 0, used_ = 0;
};

}  // namespace mistworks
