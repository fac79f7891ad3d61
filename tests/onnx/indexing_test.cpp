#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/indexing_layers.h"
#include "cornu/tests/support/tensors.h"

// Ops that select, repeat, pad, gather, scatter and enlarge, in ONNX files.

namespace cornu {
namespace {

using testing::exported;
using testing::normal;

Sequential model_of_op(const Shape& input, Var (*f)(Var)) { return {Input{input}, {"mine", Activation{f}}}; }

/// Without constants and the names of outputs.
std::vector<std::string> node_types(const std::string& bytes) {
  std::vector<std::string> result;
  for (const auto& node : onnx::detail::read_model(bytes, "indexing").graph.nodes) {
    if (node.op_type != "Constant" && node.op_type != "Identity") result.emplace_back(node.op_type);
  }
  return result;
}

void expect_same_after_import(const Sequential& model, const Shape& input, Index opset = 17) {
  const onnx::Model loaded = onnx::parse(exported(model, {.opset = opset}));
  for (const Index batch : {1, 2, 5}) {
    const Tensor x = normal(input.batched(batch)), got = loaded.predict(x), expected = model.predict(x);
    ASSERT_EQ(got.shape(), expected.shape());
    for (Index i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 1e-5) << "at " << i;
  }
}

TEST(OnnxOfIndexing, SlicesAndInterpolationComeBack) {
  expect_same_after_import(model_of_op({6, 4}, [](Var x) { return take(x, {-1, 0, 0, 2}, 1); }), {6, 4});
  expect_same_after_import(model_of_op({6, 4},
                                       [](Var x) {
                                         return strided_slice(x, {{}, {.step = -2}, {.begin = 1}});
                                       }),
                           {6, 4});
  expect_same_after_import(model_of_op({6, 4},
                                       [](Var x) {
                                         return pad(x, {{}, {2, 7}, {1, 1}}, {.mode = PadMode::reflect});
                                       }),
                           {6, 4});
  expect_same_after_import(model_of_op({6, 4}, [](Var x) { return repeat(tile(x, {2, 1}), 2, -1); }), {6, 4});
  expect_same_after_import(model_of_op({4},
                                       [](Var x) {
                                         return take_along_axis(x, x.tape().constant(Tensor({x.shape()[0], 2}) - 1), 1);
                                       }),
                           {4});
  expect_same_after_import(model_of_op({4}, [](Var x) { return one_hot(max(x, 1) - max(x, 1), 3); }), {4});
  const Sequential images{Input{3, 4, 2},
                          Conv2D{.filters = 2, .kernel_size = 2, .padding = Padding::same},
                          {"resized", testing::ResizesImages{{7, 4}}},
                          {"smaller", testing::ResizesImages{{2, 9}}},
                          Conv2D{.filters = 2, .kernel_size = 2}};
  expect_same_after_import(images, {3, 4, 2});
}

/// Padding at the ends is one node; other fills are taken from a padded slice.
TEST(OnnxOfIndexing, ConstantPaddingIsAPad) {
  using Types = std::vector<std::string>;
  EXPECT_EQ(node_types(exported(model_of_op({6, 4},
                                            [](Var x) {
                                              return pad(x, {{}, {2, 1}}, {.value = 0.5});
                                            }))),
            Types{"Pad"});
  EXPECT_EQ(node_types(exported(model_of_op({6, 4},
                                            [](Var x) {
                                              return pad(x, {{}, {2, -1}});
                                            }))),
            (Types{"Pad", "Gather"}));
  const std::vector<std::string> types =
      node_types(exported(Sequential{Input{6, 4, 2}, Conv2D{.filters = 2, .kernel_size = 1}, Activation{[](Var x) {
                                       return pad(x, {{}, {2, 1}, {0, 1}});
                                     }},
                                     Conv2D{.filters = 2, .kernel_size = 1}}));
  EXPECT_EQ(types, (Types{"Transpose", "Conv", "Pad", "Pad", "Conv", "Transpose"}));
}

TEST(OnnxOfIndexing, PaddingComesBack) {
  expect_same_after_import(model_of_op({6, 4}, [](Var x) { return pad(x, {{}, {2, 1}}, {.value = 0.5}); }), {6, 4});
  expect_same_after_import(model_of_op({6, 4}, [](Var x) { return pad(x, {{}, {2, -1}}); }), {6, 4});
  expect_same_after_import(model_of_op({6, 4}, [](Var x) { return pad(x, {{}, {}, {0, 3}}, {.value = -2}); }), {6, 4});
  const Conv2D conv{.filters = 2, .kernel_size = 1};
  expect_same_after_import(Sequential{Input{6, 4, 2}, conv, Activation{[](Var x) {
                                        return pad(x, {{}, {2, 1}, {0, 1}});
                                      }},
                                      conv},
                           {6, 4, 2});
}

const onnx::detail::NodeMessage& node_of(const onnx::detail::GraphMessage& graph, std::string_view type) {
  const auto found =
      std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const auto& node) { return node.op_type == type; });
  EXPECT_NE(found, graph.nodes.end()) << type;
  return *found;
}

TEST(OnnxOfIndexing, PickingIsTopKAndScatterElements) {
  const Sequential model{Input{6, 4}, {"picks", testing::PicksElements{}}};
  for (const Index opset : {16, 17, 18, 21}) {
    const std::vector<std::string> types = node_types(exported(model, {.opset = opset}));
    for (const char* const type : {"TopK", "GatherElements", "ScatterElements", "Equal"}) {
      EXPECT_NE(std::find(types.begin(), types.end(), type), types.end()) << type;
    }
    expect_same_after_import(model, {6, 4}, opset);
  }
  testing::expect_error<ValueError>([&] { exported(model, {.opset = 15}); },
                                    "picks: scatter_add: opset 15 has no op that adds; opset 16 or later is required");
  expect_same_after_import(Sequential{Input{6, 4}, testing::PicksElements{.scatters = false}}, {6, 4}, 13);
}

TEST(OnnxOfIndexing, TransposedConvolutionsHaveTheirWindows) {
  const Sequential model{
      Input{3, 4, 2},
      testing::Transposed{{3, 2, 3, 2},
                          {.strides = {3, 2}, .padding = Padding::same, .dilation_rate = {1, 2}, .groups = 2}}};
  expect_same_after_import(model, {3, 4, 2});
  const std::string bytes = exported(model);
  const onnx::detail::GraphMessage graph = onnx::detail::read_model(bytes, "indexing").graph;
  const auto& node = node_of(graph, "ConvTranspose");
  ASSERT_EQ(node.inputs.size(), 3U);
  const auto kernel = std::find_if(graph.initializers.begin(), graph.initializers.end(),
                                   [&](const auto& tensor) { return tensor.name == node.inputs[1]; });
  ASSERT_NE(kernel, graph.initializers.end());
  EXPECT_EQ(kernel->elements.real.shape(), (Shape{2, 3, 3, 2}));
  const auto integers = [&](std::string_view name) {
    const auto found = std::find_if(node.attributes.begin(), node.attributes.end(),
                                    [&](const auto& attribute) { return attribute.name == name; });
    return found == node.attributes.end() ? std::vector<Index>()
                                          : std::vector<Index>(found->integers.begin(), found->integers.end());
  };
  EXPECT_EQ(integers("strides"), (std::vector<Index>{3, 2}));
  EXPECT_EQ(integers("dilations"), (std::vector<Index>{1, 2}));
  EXPECT_EQ(integers("pads"), (std::vector<Index>{0, 0, 0, 1}));
  EXPECT_EQ(integers("output_padding"), (std::vector<Index>{0, 0}));
}

}  // namespace
}  // namespace cornu
