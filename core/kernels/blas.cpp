#include "cornu/core/kernels/blas.h"

#include <cblas.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas_buffers.h"
#include "cornu/core/kernels/small_products.h"
#include "cornu/core/kernels/vectorized.h"

#if defined(__x86_64__) && defined(__linux__)
#define CORNU_X86_KERNELS
// Exported by OpenBLAS if it selects its kernels at load time, but not declared in its headers.
extern "C" {
__attribute__((weak)) void gotoblas_dynamic_init();
__attribute__((weak)) void gotoblas_dynamic_quit();
}
#endif

namespace cornu {

namespace {

CBLAS_TRANSPOSE flag(MatrixView m) { return m.transposed ? CblasTrans : CblasNoTrans; }

// Only the overload for Real is used.
[[maybe_unused]] void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha, const float* a,
                           int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

[[maybe_unused]] void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha, const double* a,
                           int lda, const double* b, int ldb, double beta, double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/// OpenBLAS falls back to the kernels of a Prescott (2004) on a processor that it does not know, and does not use its
/// vector units: version 0.3.21 does so on Emerald Rapids and is three times slower. This function makes OpenBLAS
/// select its kernels again, by the instruction sets of the processor.
void use_vector_units() {
#ifdef CORNU_X86_KERNELS
  const char* const choice = "OPENBLAS_CORETYPE";
  if (std::string_view(openblas_get_corename()) != "Prescott" || std::getenv(choice) != nullptr ||
      gotoblas_dynamic_init == nullptr || gotoblas_dynamic_quit == nullptr || widest_vectors() == Vectors::any) {
    return;
  }
  setenv(choice, widest_vectors() == Vectors::avx512 ? "SkylakeX" : "Haswell", 0);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(choice);
#endif
}

/// How to call OpenBLAS so that a product uses only the calling thread, and several threads can call it concurrently.
struct CallConvention {
  bool one_at_a_time = false;
  // OpenMP's thread count is per thread and also applies to the user's loops, so it is restored after each call.
  int (*get_threads)() = nullptr;
  void (*set_threads)(int) = nullptr;
};

const CallConvention& set_up() {
  static const CallConvention convention = [] {
    use_vector_units();
    CallConvention result;
    // A sequential OpenBLAS allocates its buffers without a lock.
    result.one_at_a_time = openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
    if (openblas_get_parallel() == OPENBLAS_OPENMP) {  // looked up by name, because Cornu does not link OpenMP
      result.get_threads = reinterpret_cast<int (*)()>(::dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
      result.set_threads = reinterpret_cast<void (*)(int)>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    }
    if (result.get_threads == nullptr || result.set_threads == nullptr) {
      result.set_threads = nullptr;
      openblas_set_num_threads(1);
    }
    return result;
  }();
  return convention;
}

/// Scope of one call of OpenBLAS: holds the lock and sets the thread count.
class BlasCall {
 public:
  BlasCall() : convention_(set_up()) {
    static std::mutex mutex;
    if (convention_.one_at_a_time) alone_ = std::unique_lock(mutex);
    detail::require_blas_buffer(convention_.one_at_a_time);
    if (convention_.set_threads != nullptr) {
      threads_ = convention_.get_threads();
      convention_.set_threads(1);
    }
  }
  ~BlasCall() {
    if (convention_.set_threads != nullptr) convention_.set_threads(threads_);
  }
  BlasCall(const BlasCall&) = delete;
  BlasCall& operator=(const BlasCall&) = delete;

 private:
  const CallConvention& convention_;
  std::unique_lock<std::mutex> alone_;
  int threads_ = 1;
};

}  // namespace

void detail::set_up_blas() { static_cast<void>(set_up()); }

void detail::require_blas_sizes(const char* what, Index m, Index k, Index n) {
  for (const Index size : {m, k, n}) {
    require(size <= std::numeric_limits<int>::max(), "{}: a dimension of {} is beyond BLAS's 32-bit sizes", what, size);
  }
}

void gemm(MatrixView a, MatrixView b, Sink c, Real alpha) {
  detail::require_blas_sizes("gemm", a.outer(), a.inner(), b.inner());
  detail::require_blas_sizes("gemm", a.stride, b.stride, 0);
  const int m = static_cast<int>(a.outer()), k = static_cast<int>(a.inner()), n = static_cast<int>(b.inner());
  if (m == 0 || n == 0) return;
  if (k == 0) {  // an empty sum; BLAS rejects the leading dimension of an empty matrix
    if (!c.accumulates()) std::fill(c.view().begin(), c.view().end(), Real{0});
    return;
  }
  if (detail::suits_small_product(a, b)) return detail::small_product(a, b, alpha, c);
  const BlasCall scope;
  call(flag(a), flag(b), m, n, k, alpha, a.data, static_cast<int>(a.stride), b.data, static_cast<int>(b.stride),
       c.accumulates() ? Real{1} : Real{0}, c.data(), n);
}

}  // namespace cornu
