#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/support.h"

/// Rules of windows that ONNX's model tests do not cover.
namespace cornu {
namespace {

using testing::expect_close;
using testing::file_of;
using testing::List;
using testing::normal;
using testing::OneNode;

Tensor result_of_windows(const OneNode& node, std::span<const Tensor> inputs) {
  Tape tape(Mode::inference);
  std::vector<Var> vars;
  for (const Tensor& input : inputs) vars.push_back(tape.input(input));
  return Tensor(onnx::parse(file_of(node), "m").forward(vars).front().value());
}

/// A 1-D transposed convolution of one channel, without its first `begin` positions.
Tensor transposed_by_loops(const Tensor& x, const Tensor& w, Index stride, Index begin, Index length) {
  Tensor y({1, 1, length});
  for (Index i = 0; i < x.size(); ++i) {
    for (Index k = 0; k < w.size(); ++k) {
      const Index at = i * stride + k - begin;
      if (0 <= at && at < length) y[at] += x[i] * w[k];
    }
  }
  return y;
}

TEST(OnnxConvTranspose, DividesOddPaddingByAutoPad) {
  for (const Index n : {2, 3}) {
    for (const Index taps : {1, 2, 3, 4}) {
      for (const Index stride : {1, 2, 3}) {
        const Tensor x = normal({1, 1, n}, 1), w = normal({1, 1, taps}, 2);
        const Index full = (n - 1) * stride + taps;
        for (Index length = 1; length <= full; ++length) {
          const Index total = full - length;
          for (const char* const automatic : {"NOTSET", "SAME_UPPER", "SAME_LOWER"}) {
            SCOPED_TRACE(message("{} positions of {} {}, {} taps, stride {}", length, full, automatic, taps, stride));
            const Index begin = std::string_view(automatic) == "SAME_UPPER" ? total / 2 : total - total / 2;
            const OneNode node{
                "ConvTranspose",
                {x.shape(), w.shape()},
                {{"auto_pad", std::string_view(automatic)}, {"output_shape", List{length}}, {"strides", List{stride}}}};
            const std::vector<Tensor> inputs{x, w};
            expect_close(result_of_windows(node, inputs), transposed_by_loops(x, w, stride, begin, length));
          }
        }
      }
    }
  }
}

TEST(OnnxPools, RefuseWindowsWhoseReachOverflows) {
  for (const char* const op : {"AveragePool", "LpPool", "MaxPool"}) {
    for (const Index taps : {std::numeric_limits<Index>::max(), (Index{1} << 62) + 1, (Index{1} << 30) + 1}) {
      SCOPED_TRACE(message("{} of {}", op, taps));
      const OneNode node{op, {Shape{1, 1, 4}}, {{"kernel_shape", List{taps}}, {"dilations", List{4}}}, 22};
      const std::vector<Tensor> inputs{normal({1, 1, 4}, 1)};
      EXPECT_THROW(result_of_windows(node, inputs), FormatError);
    }
  }
}

}  // namespace
}  // namespace cornu
