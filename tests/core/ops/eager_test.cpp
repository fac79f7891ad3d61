#include "cornu/core/ops/eager.h"

#include <gtest/gtest.h>

#include <array>

namespace cornu {
namespace {

TEST(EagerReshape, AcceptsDimensionsAndShapes) {
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6}), expected({3, 2}, {1, 2, 3, 4, 5, 6});
  const std::array<Index, 2> dimensions{3, -1};
  EXPECT_EQ(reshape(x, {3, -1}), expected);
  EXPECT_EQ(reshape(x, dimensions), expected);
  EXPECT_EQ(reshape(x, Shape{3, 2}), expected);
}

}  // namespace
}  // namespace cornu
