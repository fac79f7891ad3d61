#include "cornu/onnx/description.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/foreign_files.h"
#include "cornu/tests/support/protobuf.h"

namespace cornu::onnx {
namespace {

using cornu::detail::FileKind;
using cornu::testing::error_of;

TEST(OnnxDescription, ListsEveryReasonWhyAModelCannotRun) {
  const Description model = describe(cornu::testing::unsupported_onnx_model(), "m");
  EXPECT_EQ(model.ir_version, 8);
  EXPECT_EQ(model.producer, "someone");
  EXPECT_EQ(model.nodes, (std::map<std::string, std::int64_t>{
                             {"Gemm", 2}, {"Loop", 1}, {"NonZero\n  Forged: 1", 1}, {"ai.onnx.ml.ZipMap", 1}}));
  ASSERT_EQ(model.inputs.size(), 1U) << "an initializer is no input";
  EXPECT_EQ(model.inputs[0].type, "float16");
  EXPECT_EQ(model.inputs[0].shape, (std::vector<Index>{-1, 3}));
  ASSERT_EQ(model.outputs.size(), 2U);
  EXPECT_EQ(model.outputs[0].type, "string");
  EXPECT_EQ(model.outputs[1].type, "sequence");
  EXPECT_FALSE(model.outputs[1].has_shape);
  ASSERT_EQ(model.initializers.size(), 4U);
  EXPECT_EQ(model.initializers[0].type, "float16");
  EXPECT_EQ(model.initializers[1].type, "string");
  EXPECT_EQ(model.initializers[2].shape, (std::vector<Index>{1000, 1000}));
  EXPECT_TRUE(model.initializers[2].external);
  EXPECT_FALSE(model.initializers[3].external);
  EXPECT_EQ(model.unsupported, (std::vector<std::string>{"ops: ai.onnx.ml.ZipMap, Loop, NonZero\n  Forged: 1",
                                                         "types: sequence, string", "nested graphs: Loop"}));
}

TEST(OnnxDescription, TakesNoMoreMemoryThanTheReader) {
  const std::string whole = cornu::testing::unsupported_onnx_model();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const cornu::testing::PeakMemory memory;
    try {
      describe(whole.substr(0, size), "m");
    } catch (const FormatError&) {
    }
    EXPECT_LT(memory.bytes(), 100'000);
  }
  std::string names;  // many initializers, each as short as possible
  for (int i = 0; i < 200'000; ++i) names += cornu::testing::field(5, "");
  const std::string model = cornu::testing::field(1, 8) + cornu::testing::field(7, names);
  const cornu::testing::PeakMemory memory;
  EXPECT_NE(error_of<FormatError>([&] { describe(model, "m"); }).find("would take more than 3 times its size"),
            std::string::npos);
  EXPECT_LT(memory.bytes(), 4 * std::ssize(model) + (Index{32} << 20));
}

TEST(OnnxReaders, NameTheKindOfAForeignFile) {
  for (const auto& [kind, bytes] : cornu::testing::foreign_files()) {
    if (kind == FileKind::onnx) continue;
    const std::string text = message("m: this is {}; {}", name_of(kind), remedy_for(kind));
    EXPECT_EQ(error_of<FormatError>([&, &b = bytes] { parse(b, "m"); }), text);
    EXPECT_EQ(error_of<FormatError>([&, &b = bytes] { describe(b, "m"); }), text);
  }
}

}  // namespace
}  // namespace cornu::onnx
