#include "cornu/core/kernels/blas_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <new>

// Exported by OpenBLAS but not declared in its headers. blas_memory_alloc returns the first buffer that is not in use,
// and maps one if all are.
extern "C" {
__attribute__((weak)) void* blas_memory_alloc(int caller);
__attribute__((weak)) void blas_memory_free(void* buffer);
}

namespace cornu::detail {

namespace {

class OutOfAddressSpace : public std::bad_alloc {
 public:
  const char* what() const noexcept override {
    return "OpenBLAS needs 128 MiB of address space for each thread that multiplies matrices at the same time, and no "
           "more is available: raise the limit (ulimit -v), use fewer threads, or set OPENBLAS_NUM_THREADS=1";
  }
};

// BUFFER_SIZE of OpenBLAS on x86-64. It is smaller on other architectures.
constexpr std::size_t buffer_bytes = std::size_t{128} << 20;

/// Maps a buffer with OpenBLAS's size and flags and unmaps it again. Throws if that fails.
void require_address_space() {
  void* const memory = mmap(nullptr, buffer_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw OutOfAddressSpace();
  munmap(memory, buffer_bytes);
}

/// The buffers that OpenBLAS is known to have mapped, and the number of threads that may be using one.
class Buffers {
 public:
  void add_thread(bool one_at_a_time) {
    const std::lock_guard lock(mutex_);
    const std::size_t needed = one_at_a_time ? 1 : threads_ + 1;
    if (blas_memory_alloc == nullptr || blas_memory_free == nullptr) {
      if (count_ < needed) require_address_space();
      count_ = std::max(count_, needed);  // the product that follows maps it
    } else if (count_ < std::min(needed, known_.size())) {
      map_another();
    }
    ++threads_;
  }
  void remove_thread() {
    const std::lock_guard lock(mutex_);
    --threads_;
  }

 private:
  /// Takes buffers until one of them is new. Checking before each call keeps the time short in which another thread can
  /// use up the address space.
  void map_another() {
    std::array<void*, most> taken;
    std::size_t taken_count = 0;
    const auto give_back = [&] {
      while (taken_count > 0) blas_memory_free(taken[--taken_count]);
    };
    for (bool is_new = false; !is_new;) {
      try {
        require_address_space();
      } catch (...) {
        give_back();
        throw;
      }
      void* const buffer = blas_memory_alloc(0);
      if (buffer == nullptr) {
        give_back();
        throw OutOfAddressSpace();
      }
      taken[taken_count++] = buffer;
      const auto end = known_.begin() + static_cast<std::ptrdiff_t>(count_);
      is_new = std::find(known_.begin(), end, buffer) == end;
      if (is_new) known_[count_++] = buffer;
    }
    give_back();
  }

  static constexpr std::size_t most = 256;  // threads beyond these are not checked
  std::mutex mutex_;
  std::size_t threads_ = 0, count_ = 0;
  std::array<void*, most> known_{};
};

constinit Buffers buffers;

/// Records that this thread has been counted.
struct Claim {
  bool made = false;
  ~Claim() {
    if (made) buffers.remove_thread();
  }
};

thread_local constinit Claim claim;

}  // namespace

void require_blas_buffer(bool one_at_a_time) {
  if (claim.made) [[likely]]
    return;
  buffers.add_thread(one_at_a_time);
  claim.made = true;
}

}  // namespace cornu::detail
