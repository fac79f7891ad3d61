#include "cornu/core/kernels/blas.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/ops/eager.h"

extern "C" char* openblas_get_corename();

namespace cornu {
namespace {

#if defined(__x86_64__) && defined(__linux__)
TEST(Blas, UsesTheVectorUnitsOfAnUnknownProcessor) {
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) GTEST_SKIP() << "OPENBLAS_CORETYPE is set";
  if (widest_vectors() == Vectors::any)
    GTEST_SKIP() << "no vector units beyond the baseline, or CORNU_VECTORS forbids them";
  const Tensor product = matmul(Tensor::matrix({{1, 2}, {3, 4}}), Tensor::matrix({{1, 0}, {0, 1}}));
  EXPECT_EQ(product, Tensor::matrix({{1, 2}, {3, 4}}));
  EXPECT_NE(std::string(openblas_get_corename()), "Prescott");
  EXPECT_EQ(std::getenv("OPENBLAS_CORETYPE"), nullptr);
}
#endif

/// Debian's OpenBLAS without threads gives the same buffer to concurrent products.
TEST(Blas, ConcurrentProductsAreCorrect) {
  constexpr Index n = 150;  // large enough that OpenBLAS needs a buffer
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int number = 1; number <= 4; ++number) {
    threads.emplace_back([&wrong, number] {
      Tensor a(Shape{n, n}), b(Shape{n, n}), c(Shape{n, n});
      a.fill(static_cast<Real>(number));
      b.fill(1);
      for (int i = 0; i < 1000; ++i) {
        gemm({a.data(), n, n, true}, b.view(), Sink(c.view(), false));
        const bool right = std::all_of(c.begin(), c.end(), [&](Real x) { return x == static_cast<Real>(n * number); });
        if (!right) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cornu
