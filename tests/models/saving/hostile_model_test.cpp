#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// Files that describe models nobody could have saved: writing a large number costs nothing.

namespace cornu {
namespace {

using testing::error_of;

constexpr Index megabyte = Index{1} << 20;

std::string layer(const std::string& type, const std::string& name, const std::string& options) {
  return R"({"class_name":")" + type + R"(","name":")" + name + R"(","config":{)" + options + "}}";
}

/// The description of a model with samples of this shape.
std::string model_text(const std::string& layers, const std::string& input = "[3]", const std::string& more = "") {
  return R"({"version":1,"class_name":"Sequential","config":{"name":"m","seed":0,)" + more + R"("input_shape":)" +
         input + R"(,"layers":[)" + layers + R"(]},"build_input_shape":)" + input + R"(,"untrainable":[],"frozen":[]})";
}

Sequential load(const std::string& description, const LoadOptions& options = {}) {
  const std::vector<std::byte> file = detail::safetensors_bytes({}, {{"cornu.model", description}});
  return Sequential::load(SafetensorsFile(file, "file"), options);
}

/// The error, which must have allocated no more than any small file may.
template <class E = FormatError>
std::string load_error(const std::string& description, const LoadOptions& options = {}) {
  const testing::PeakMemory memory;
  const std::string text = error_of<E>([&] { load(description, options); });
  EXPECT_LT(memory.bytes(), 4 * megabyte + 4 * std::ssize(description)) << text;
  return text;
}

std::string asked(const std::string& where, Index bytes, const char* what = "it", Index limit = megabyte,
                  const char* hint = "") {
  return "file: " + where + ": " + what + " needs " + std::to_string(bytes) + " bytes, more than the " +
         std::to_string(limit) + " allowed for this file" + hint;
}

TEST(HostileModel, HugeLayersAreRefusedBeforeAllocation) {
  const Index size = sizeof(Real);
  EXPECT_EQ(load_error(model_text(layer("Dense", "d", R"("units":1099511627776)"))),
            asked("d", 1024 + size * 3 * (Index{1} << 40)));
  EXPECT_EQ(load_error(model_text(layer("Conv2D", "c", R"("filters":1000000,"kernel_size":[9,9])"), "[9,9,100]")),
            asked("c", 1024 + size * 8'100'000'000));
  EXPECT_EQ(load_error(model_text(layer("Embedding", "e", R"("input_dim":100000000,"output_dim":1000)"))),
            asked("e", 1024 + size * 100'000'000'000));
  EXPECT_EQ(load_error(model_text(layer("LSTM", "l", R"("units":100000)"), "[2,2]")),
            asked("l", 1024 + size * 800'000));
  EXPECT_EQ(load_error<ShapeError>(model_text(layer("Dense", "d", R"("units":1)"), "[9223372036854775807]")),
            "file: input_shape: shape (9223372036854775807,) has more than 2^45 elements");
  EXPECT_EQ(load_error<ShapeError>(model_text(layer("Concatenate", "c", R"("chains":[{},{}])"), "[35184372088832]")),
            "file: c: shape (70368744177664,) has more than 2^45 elements");
  EXPECT_EQ(load_error<ShapeError>(model_text(layer("Dense", "d", R"("units":9223372036854775807)"))),
            "file: d: shape (3, 9223372036854775807) has more than 2^45 elements");
}

TEST(HostileModel, ManyLayersAreRefused) {
  std::string layers = layer("Flatten", "f", "");
  for (int i = 0; i < 5000; ++i) layers += "," + layer("Flatten", "f" + std::to_string(i), "");
  EXPECT_EQ(load_error(model_text(layers)), asked("layers", 1025 * 1024));
}

TEST(HostileModel, APassOverAHugeSampleIsRefusedUnlessPassMemoryAllowsIt) {
  const std::string activation = layer("Activation", "a", R"("activation":"relu")");
  const Index bytes = static_cast<Index>(sizeof(Real)) << 38;
  EXPECT_EQ(load_error(model_text(activation, "[274877906944]")),
            asked("a", bytes, "a pass over one sample", Index{1} << 30, " (to allow more, set .pass_memory)"));
  const std::string small = model_text(activation, "[100000]");
  EXPECT_NO_THROW(load(small));
  EXPECT_NE(load_error(small, {.pass_memory = 100'000}), "");
  // Memory that one layer's pass frees is available to the next.
  std::string many = activation;
  for (int i = 0; i < 20; ++i) many += "," + layer("Activation", "a" + std::to_string(i), R"("activation":"relu")");
  EXPECT_NO_THROW(load(model_text(many, "[100000]"), {.pass_memory = 4'000'000}));
  // Layers that keep their input's shape are built without a pass.
  EXPECT_EQ(load(model_text(layer("ReLU", "r", ""), "[274877906944]")).output_shape(), (Shape{Index{1} << 38}));
}

TEST(HostileModel, InputsThatDoNotFitAreRefused) {
  const std::string flatten = layer("Flatten", "f", "");
  EXPECT_EQ(load_error(model_text(flatten, "[3]", R"("input_parts":[[1],[1]],)")),
            "file: input_parts have 2 elements, but input_shape does not match");
  EXPECT_EQ(
      load_error<ValueError>(model_text(flatten, "[9]", R"("input_parts":[[1],[1],[1],[1],[1],[1],[1],[1],[1]],)")),
      "file: Inputs: 9 inputs; 1 to 8 are allowed");
  const std::string most = std::to_string(Shape::max_size);
  EXPECT_EQ(load_error<ShapeError>(model_text(flatten, "[3]", "\"input_parts\":[[" + most + "],[" + most + "]],")),
            "file: shape (70368744177664,) has more than 2^45 elements");
  EXPECT_EQ(load_error<ShapeError>(model_text(layer("Inputs", "i", "\"shapes\":[[" + most + "],[" + most + "]]"))),
            "file: i: shape (70368744177664,) has more than 2^45 elements");
  EXPECT_EQ(load_error(model_text(layer("Flatten", "", ""))), "file: a Flatten without a name");
}

TEST(HostileModel, ALargeModelWithAllItsWeightsIsLoaded) {
  const testing::TemporaryFolder folder;
  Sequential model{Input{2048}, Dense{2100}};
  model.save(folder / "m");
  EXPECT_EQ(Sequential::load(folder / "m").count_params(), 2049 * 2100);
}

TEST(HostileModel, TruncatedOrCorruptFilesAreRefusedOrPredict) {
  const std::string text = model_text(layer("Dense", "d", R"("units":2)") + "," + layer("Flatten", "f", ""));
  const std::vector<std::byte> zeros(32 * sizeof(float));
  const std::vector<RawTensor> tensors{{"d/kernel", Dtype::f32, {3, 2}, std::span(zeros).first(24)},
                                       {"d/bias", Dtype::f32, {2}, std::span(zeros).first(8)}};
  const std::vector<std::byte> whole = detail::safetensors_bytes(tensors, {{"cornu.model", text}});
  const auto read = [](const std::vector<std::byte>& file) {
    const Sequential model = Sequential::load(SafetensorsFile(file, "file"));
    static_cast<void>(model.predict(Tensor(model.input_shape()->batched(1))));
  };
  ASSERT_NO_THROW(read(whole));
  const testing::Refused refused = testing::read_damaged(whole, read, 4 * megabyte);
  EXPECT_EQ(refused.cut, std::ssize(whole));
  EXPECT_GT(refused.flipped, 4 * std::ssize(text));
}

}  // namespace
}  // namespace cornu
