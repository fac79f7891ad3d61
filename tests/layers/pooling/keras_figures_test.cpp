// Compares the pooling of sequences with Keras's own tests (keras-team/keras, keras/src/layers/pooling:
// *_pooling_test.py, Keras 3). Those compute the expected values with NumPy from arange(24) in shape (2, 3, 4): rows of
// 4 features.

#include <gtest/gtest.h>

#include "cornu/layers/pooling/average_pooling1d.h"
#include "cornu/layers/pooling/global_average_pooling1d.h"
#include "cornu/layers/pooling/global_max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/tests/layers/run.h"

namespace cornu {
namespace {

using testing::arange;
using testing::run;

// max_pooling_test.py, test_max_pooling1d

TEST(KerasFigures, MaxPooling1DReturnsTheMaximaOfWindows) {
  const Tensor x = arange({2, 3, 4});
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 2, .strides = 1}, x),
            Tensor({2, 2, 4}, {4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23}));
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 2, .strides = 1, .padding = Padding::same}, x),
            Tensor({2, 3, 4}, {4,  5,  6,  7,  8,  9,  10, 11, 8,  9,  10, 11,  //
                               16, 17, 18, 19, 20, 21, 22, 23, 20, 21, 22, 23}));
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 2, .strides = 2}, x), Tensor({2, 1, 4}, {4, 5, 6, 7, 16, 17, 18, 19}));
}

// average_pooling_test.py, test_average_pooling1d and test_average_pooling1d_same_padding

TEST(KerasFigures, AveragePooling1DReturnsTheMeansOfWindows) {
  const Tensor x = arange({2, 3, 4});
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 2, .strides = 1}, x),
            Tensor({2, 2, 4}, {2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 19, 20, 21}));
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 2, .strides = 2}, x), Tensor({2, 1, 4}, {2, 3, 4, 5, 14, 15, 16, 17}));
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 2, .strides = 1, .padding = Padding::same}, x),
            Tensor({2, 3, 4}, {2,  3,  4,  5,  6,  7,  8,  9,  8,  9,  10, 11,  //
                               14, 15, 16, 17, 18, 19, 20, 21, 20, 21, 22, 23}));
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 2, .strides = 2, .padding = Padding::same}, x),
            Tensor({2, 2, 4}, {2, 3, 4, 5, 8, 9, 10, 11, 14, 15, 16, 17, 20, 21, 22, 23}));
}

// global_max_pooling_test.py and global_average_pooling_test.py, test_global_*_pooling1d

TEST(KerasFigures, GlobalPooling1DReducesAllSteps) {
  const Tensor x = arange({2, 3, 4});
  for (const bool keepdims : {false, true}) {
    const Shape shape = keepdims ? Shape{2, 1, 4} : Shape{2, 4};
    EXPECT_EQ(run(GlobalMaxPooling1D{keepdims}, x), Tensor(shape, {8, 9, 10, 11, 20, 21, 22, 23}));
    EXPECT_EQ(run(GlobalAveragePooling1D{keepdims}, x), Tensor(shape, {4, 5, 6, 7, 16, 17, 18, 19}));
  }
}

}  // namespace
}  // namespace cornu
