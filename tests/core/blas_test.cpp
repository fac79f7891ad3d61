#include "cornu/core/blas.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "cornu/core/eager.h"
#include "cornu/core/vectorized.h"

extern "C" char* openblas_get_corename();

namespace cornu {
namespace {

#if defined(__x86_64__) && defined(__linux__)
TEST(Blas, UsesTheVectorUnitsOfAProcessorThatItDoesNotKnow) {
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) GTEST_SKIP() << "OPENBLAS_CORETYPE is set, and obeyed";
  if (widest_vectors() == Vectors::any)
    GTEST_SKIP() << "no vector units beyond the baseline, or CORNU_VECTORS forbids them";
  const Tensor product = matmul(Tensor::matrix({{1, 2}, {3, 4}}), Tensor::matrix({{1, 0}, {0, 1}}));
  EXPECT_EQ(product, Tensor::matrix({{1, 2}, {3, 4}}));
  EXPECT_NE(std::string(openblas_get_corename()), "Prescott");
  EXPECT_EQ(std::getenv("OPENBLAS_CORETYPE"), nullptr);
}
#endif

}  // namespace
}  // namespace cornu
