#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/support.h"

/// Rules of Resize that ONNX's model tests do not cover.
namespace cornu {
namespace {

/// A file has the nearest float to 1/3 or 7/10. The product with a length is rounded to a float, as in ONNX's shape
/// inference, PyTorch and ONNX Runtime, and position i is that of the fraction: 3 i, not 2.9999999 i.
TEST(OnnxResize, CountsAndPicksAsIfScalesWereNotRounded) {
  for (const auto& [numerator, denominator] :
       {std::pair<Index, Index>{1, 3}, {2, 3}, {7, 10}, {3, 5}, {6, 5}, {13, 10}}) {
    const float scale = static_cast<float>(numerator) / static_cast<float>(denominator);
    for (Index n = 3; n <= 40; ++n) {
      SCOPED_TRACE(message("{} times {}/{}", n, numerator, denominator));
      Tensor x({1, 1, n});
      for (Index i = 0; i < n; ++i) x[i] = static_cast<Real>(i);
      const testing::OneNode node{"Resize", {x.shape(), Shape{3}}, {{"mode", std::string_view("nearest")}}, 10};
      Tape tape(Mode::inference);
      const Tensor scales = Tensor::vector({1, 1, static_cast<Real>(scale)});
      const std::vector<Var> inputs{tape.input(x), tape.input(scales)};
      const Tensor y(onnx::parse(testing::file_of(node), "m").forward(inputs).front().value());
      ASSERT_EQ(y.size(), static_cast<Index>(std::floor(scale * static_cast<float>(n))));
      for (Index i = 0; i < y.size(); ++i) {
        EXPECT_EQ(y[i], static_cast<Real>(std::min(i * denominator / numerator, n - 1))) << "at " << i;
      }
    }
  }
}

/// The last position of a region that ends at 1 is the last pixel, also where its scale is rounded up or down.
TEST(OnnxResize, ARegionOfTheWholeImageHasNothingOutside) {
  for (const char* const mode : {"nearest", "linear"}) {
    for (Index n = 2; n <= 12; ++n) {
      for (Index out = 2; out <= 12; ++out) {
        SCOPED_TRACE(message("{} from {} to {}", mode, n, out));
        const float scale = static_cast<float>(out) / static_cast<float>(n);
        if (std::floor(scale * static_cast<float>(n)) != static_cast<float>(out)) continue;
        const testing::OneNode node{"Resize",
                                    {Shape{1, 1, n}, Shape{6}, Shape{3}},
                                    {{"mode", std::string_view(mode)},
                                     {"coordinate_transformation_mode", std::string_view("tf_crop_and_resize")},
                                     {"extrapolation_value", 9.0}}};
        Tape tape(Mode::inference);
        const Tensor x = Tensor::full({1, 1, n}, 1), region = Tensor::vector({0, 0, 0, 1, 1, 1}),
                     scales = Tensor::vector({1, 1, static_cast<Real>(scale)});
        const std::vector<Var> inputs{tape.input(x), tape.input(region), tape.input(scales)};
        const Tensor y(onnx::parse(testing::file_of(node), "m").forward(inputs).front().value());
        testing::expect_close(y, Tensor::full({1, 1, out}, 1), 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace cornu
