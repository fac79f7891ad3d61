#include "cornu/models/export_cpp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "cornu/layers/average_pooling2d.h"
#include "cornu/layers/conv2d.h"
#include "cornu/layers/dropout.h"
#include "cornu/layers/flatten.h"
#include "cornu/layers/global_average_pooling2d.h"
#include "cornu/layers/max_pooling2d.h"
#include "cornu/layers/reshape.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::normal;
using testing::TemporaryFolder;

/// What the exported predictor makes of samples x: it is compiled for C++17 with all warnings as errors and without
/// exceptions, in a program of two files that include it.
Tensor predict_exported(const Sequential& model, const Tensor& x, const ExportCppOptions& options = {}) {
  const TemporaryFolder folder;
  model.export_cpp(folder / "net.h", options);
  std::ofstream(folder / "other.cpp") << "#include \"net.h\"\n"
                                      << "std::size_t outputs() { return " << options.name << "::output_size; }\n";
  std::ofstream(folder / "main.cpp") << "#include \"net.h\"\n#include <cstdio>\nstd::size_t outputs();\n"
                                     << "namespace exported = " << options.name << ";\n"
                                     << R"(
static float input[exported::input_size], output[exported::output_size], same[exported::output_size];
static exported::Workspace workspace;
int main() {
  std::FILE* in = std::fopen("input", "rb");
  std::FILE* out = std::fopen("output", "wb");
  while (std::fread(input, sizeof(float), exported::input_size, in) == exported::input_size) {
    exported::predict(input, output, workspace);
    exported::predict(input, same);
    for (std::size_t i = 0; i < outputs(); ++i) {
      if (output[i] != same[i]) return 1;
    }
    std::fwrite(output, sizeof(float), exported::output_size, out);
  }
  return std::fclose(out);
}
)";
  const std::vector<float> numbers(x.begin(), x.begin() + x.size());
  std::ofstream(folder / "input", std::ios::binary)
      .write(reinterpret_cast<const char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * 4));
  const std::string command =
      "cd '" + folder.path().string() +
      "' && " CORNU_CXX
      " -std=c++17 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fno-exceptions main.cpp other.cpp "
      "-o main && ./main";
  EXPECT_EQ(std::system(command.c_str()), 0);
  Shape shape = model.output_shape().batched(x.shape()[0]);
  std::vector<float> made(static_cast<std::size_t>(shape.size()));
  std::ifstream(folder / "output", std::ios::binary)
      .read(reinterpret_cast<char*>(made.data()), static_cast<std::streamsize>(made.size() * 4));
  Tensor result(shape);
  std::copy(made.begin(), made.end(), result.begin());
  return result;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i] - b[i])));
  return largest;
}

void expect_the_same(const Sequential& model, const Shape& batch, const ExportCppOptions& options = {}) {
  const Tensor x = normal(batch);
  EXPECT_LE(largest_difference(predict_exported(model, x, options), model.predict(x)), 1e-5);
}

TEST(ExportCpp, AgreesForAClassifier) {
  const Sequential model{Input{5, 4}, Flatten{}, Dense{17, relu}, Dropout{}, Dense{9, tanh}, Dense{3}, Softmax{}};
  expect_the_same(model, {7, 5, 4});
}

TEST(ExportCpp, AgreesForEveryConvolutionAndPooling) {
  const Sequential model{Input{13, 11, 4},
                         Conv2D{.filters = 6, .kernel_size = {3, 2}, .padding = Padding::same, .activation = relu},
                         MaxPooling2D{.pool_size = {2, 3}, .strides = {1, 2}, .padding = Padding::same},
                         Conv2D{.filters = 8, .kernel_size = 3, .dilation_rate = 2, .groups = 2, .use_bias = false},
                         Sigmoid{},
                         AveragePooling2D{.pool_size = 2, .strides = 1, .padding = Padding::same},
                         Conv2D{.filters = 5, .kernel_size = 2, .strides = 2},
                         GlobalAveragePooling2D{}};
  expect_the_same(model, {3, 13, 11, 4});
}

TEST(ExportCpp, AgreesForModelsInModelsAndSoftmaxOverAnyAxis) {
  const Sequential inner({Dense{6, sigmoid}, Tanh{}}, {.name = "inner model"});
  const Sequential model{Input{4, 3}, inner, Softmax{.axis = 1}, ReLU{}, Reshape{3, 8}, Softmax{}, Dense{2}};
  expect_the_same(model, {5, 4, 3}, {.name = "my_net"});
}

TEST(ExportCpp, AgreesWhereNothingIsComputed) { expect_the_same(Sequential{Input{4}, Dropout{}}, {3, 4}); }

TEST(ExportCpp, TakesAQuarterOfTheMemoryWithWholeNumbersForWeights) {
  const Sequential model{Input{20, 20, 1}, Conv2D{.filters = 7, .kernel_size = 5, .activation = relu}, Flatten{},
                         Dense{10}};
  const Tensor x = normal({4, 20, 20, 1}), expected = model.predict(x);
  const Tensor found = predict_exported(model, x, {.int8_weights = true});
  double largest = 0;
  for (const Real y : expected) largest = std::max(largest, static_cast<double>(std::abs(y)));
  EXPECT_LE(largest_difference(found, expected), 0.02 * largest);
  EXPECT_GT(largest_difference(found, expected), 0);
  EXPECT_NE(to_cpp(model, {.int8_weights = true}).find("std::int8_t dense_kernel[17920]"), std::string::npos);
}

TEST(ExportCpp, SharesMemoryBetweenValuesThatAreNotNeededAtOnce) {
  const Sequential model{Input{2}, Dense{100}, Dense{50}, Dense{80}, Dense{1}};
  EXPECT_NE(to_cpp(model).find("float memory[150];"), std::string::npos) << "100 and 50 at once, then 50 and 80";
}

TEST(ExportCpp, RefusesWhatItHasNoTextFor) {
  Sequential doubled{Input{2}, {"twice", Activation{[](Var x) { return x + x; }}}};
  expect_error<ValueError>([&] { to_cpp(doubled); }, "export_cpp: twice: there is no text for its activation");
  expect_error<ValueError>(
      [&] {
        to_cpp(Sequential{Input{2}, testing::Scale{}});
      },
      "export_cpp: scale is a Scale; there is no text for it");
  expect_error<StateError>([&] { to_cpp(Sequential{Dense{2}}); },
                           "sequential: export_cpp: not built yet, so there are no weights");
  expect_error<ValueError>(
      [&] {
        to_cpp(Sequential{Input{2}, Dense{2}}, {.name = "a net"});
      },
      "export_cpp: name is \"a net\"; a namespace is required");
}

TEST(ExportCpp, RefusesWeightsThatAreNotFinite) {
  Sequential model{Input{1}, Dense{1}};
  model.get_layer("dense").as<Dense>()->kernel.value[0] = std::numeric_limits<Real>::quiet_NaN();
  for (const bool int8 : {false, true}) {
    expect_error<ValueError>([&] { to_cpp(model, {.int8_weights = int8}); },
                             "export_cpp: dense/kernel has a number that is not finite");
  }
}

}  // namespace
}  // namespace cornu
