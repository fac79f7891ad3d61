#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/gradcheck.h"
#include "cornu/onnx/ops/ops.h"
#include "cornu/tests/onnx/support.h"

/// The gradients of all ops that have one, against finite differences.
namespace cornu {
namespace {

using testing::Given;
using testing::List;
using testing::normal;
using testing::Writer;

/// Whole numbers; of one axis, or of a shape. A node that takes booleans gets them as such.
struct Whole {
  List numbers;
  List shape{};
};

struct GradientCase {
  std::string op;
  std::vector<std::variant<Shape, Whole>> inputs;  // a shape: of floats with a gradient
  std::vector<Given> attributes{};
  Index opset = 17;
  double from = 0;  // not 0: the floats are between `from` and `from` + 0.4
};

bool takes_booleans(const GradientCase& each) { return each.op == "Compress" || each.op == "Where"; }

std::string gradient_file(const GradientCase& each) {
  Writer writer;
  std::vector<std::string> names;
  for (const auto& input : each.inputs) {
    const std::string number = std::to_string(names.size());
    if (const auto* const shape = std::get_if<Shape>(&input)) {
      names.push_back("x" + number);
      writer.input(names.back(), shape->dimensions());
      continue;
    }
    const auto& whole = std::get<Whole>(input);
    std::string name = writer.initializer("n" + number, whole.numbers);
    if (!whole.shape.empty()) name = writer.node("Reshape", {name, writer.initializer("s" + number, whole.shape)});
    if (takes_booleans(each)) name = writer.node("Cast", {name}, {{"to", Index{9}}});
    if (each.op == "Upsample") name = writer.node("Cast", {name}, {{"to", Index{1}}});
    names.push_back(name);
  }
  const std::string y = "y";
  writer.node_of(each.op, "", names, std::span(&y, 1), each.attributes, "the node");
  writer.output(y, {});
  return writer.finished("test", each.opset);
}

const std::vector<GradientCase>& gradient_cases() {
  constexpr Index one = 1, two = 2;
  static const std::vector<GradientCase> all{
      {"Add", {Shape{2, 3}, Shape{3}}},
      {"Sub", {Shape{2, 3}, Shape{2, 1}}},
      {"Mul", {Shape{2, 3}, Shape{3}}},
      {"Neg", {Shape{2, 3}}},
      {"Relu", {Shape{2, 3}}},
      {"LeakyRelu", {Shape{2, 3}}, {{"alpha", 0.1}}},
      {"Elu", {Shape{2, 3}}, {{"alpha", 2.0}}},
      {"Selu", {Shape{2, 3}}},
      {"Erf", {Shape{2, 3}}},
      {"Softplus", {Shape{2, 3}}},
      {"PRelu", {Shape{2, 3}, Shape{3}}},
      {"PRelu", {Shape{2, 3, 2}, Shape{3}}, {}, 6},
      {"Clip", {Shape{2, 3}}, {{"min", -0.7}, {"max", 0.7}}, 6},
      {"Cast", {Shape{2, 3}}, {{"to", one}}},
      {"Gemm", {Shape{2, 3}, Shape{3, 4}, Shape{4}}},
      {"Gemm",
       {Shape{3, 2}, Shape{4, 3}, Shape{2, 4}},
       {{"transA", one}, {"transB", one}, {"alpha", 0.5}, {"beta", 2.0}}},
      {"MatMul", {Shape{2, 2, 3}, Shape{3, 2}}},
      {"Softmax", {Shape{2, 3, 2}}, {{"axis", one}}},
      {"Softmax", {Shape{2, 3, 2}}, {{"axis", one}}, 11},
      {"LogSoftmax", {Shape{2, 3}}},
      {"ReduceSum", {Shape{2, 3, 2}}, {{"axes", List{0, 2}}}, 11},
      {"ReduceMean", {Shape{2, 3, 2}}, {{"axes", List{1, -1}}, {"keepdims", Index{0}}}},
      {"ReduceMax", {Shape{2, 3}}, {{"axes", List{1}}}},
      {"BatchNormalization", {Shape{2, 3, 2, 2}, Shape{3}, Shape{3}, Shape{3}, Shape{3}}},
      {"BatchNormalization", {Shape{3, 2}, Shape{2}, Shape{2}, Shape{2}, Shape{2}}, {{"training_mode", one}}},
      {"LayerNormalization", {Shape{2, 3, 2}, Shape{3, 2}, Shape{3, 2}}, {{"axis", one}}},
      {"Conv", {Shape{2, 2, 4, 5}, Shape{3, 2, 3, 2}, Shape{3}}, {{"strides", List{2, 1}}, {"pads", List{1, 0, 1, 1}}}},
      {"Conv", {Shape{2, 4, 4, 4}, Shape{4, 2, 2, 2}}, {{"group", Index{2}}, {"auto_pad", "SAME_LOWER"}}},
      {"Conv", {Shape{2, 2, 6}, Shape{3, 2, 2}}, {{"dilations", List{2}}}},
      {"MaxPool",
       {Shape{2, 2, 5, 4}},
       {{"kernel_shape", List{3, 2}}, {"pads", List{1, 0, 1, 1}}, {"strides", List{2, 2}}}},
      {"MaxPool", {Shape{1, 2, 5, 5}}, {{"kernel_shape", List{2, 2}}, {"dilations", List{2, 3}}}},
      {"AveragePool",
       {Shape{2, 2, 5, 4}},
       {{"kernel_shape", List{3, 2}}, {"pads", List{1, 0, 1, 1}}, {"strides", List{2, 2}}}},
      {"AveragePool", {Shape{2, 2, 6}}, {{"kernel_shape", List{3}}, {"pads", List{1, 1}}, {"count_include_pad", one}}},
      {"LSTM", {Shape{3, 2, 2}, Shape{1, 8, 2}, Shape{1, 8, 2}, Shape{1, 16}}, {{"hidden_size", Index{2}}}},
      {"GRU",
       {Shape{2, 3, 2}, Shape{2, 6, 2}, Shape{2, 6, 2}},
       {{"direction", "bidirectional"}, {"layout", one}, {"linear_before_reset", one}}},
      {"GRU", {Shape{3, 2, 2}, Shape{1, 6, 2}, Shape{1, 6, 2}, Shape{1, 12}}, {{"hidden_size", Index{2}}}},
      {"GRU", {Shape{2, 3, 2}, Shape{2, 6, 2}, Shape{2, 6, 2}}, {{"direction", "bidirectional"}, {"layout", one}}},
      {"GlobalAveragePool", {Shape{2, 2, 3, 2}}},
      {"GlobalMaxPool", {Shape{2, 2, 3, 2}}},
      {"Flatten", {Shape{2, 3, 2}}, {{"axis", Index{2}}}},
      {"Transpose", {Shape{2, 3, 2}}, {{"perm", List{1, 2, 0}}}},
      {"Concat", {Shape{2, 3}, Shape{2, 2}}, {{"axis", one}}},
      {"Unsqueeze", {Shape{2, 3}}, {{"axes", List{1}}}, 11},
      {"Slice", {Shape{4, 3}}, {{"starts", List{1}}, {"ends", List{3}}, {"axes", List{0}}}, 6},
      {"Abs", {Shape{2, 3}}},
      {"AffineGrid", {Shape{2, 2, 3}, Whole{{2, 1, 3, 2}}}, {}, 20},
      {"Attention",
       {Shape{1, 2, 3, 2}, Shape{1, 1, 4, 2}, Shape{1, 1, 4, 3}},
       {{"is_causal", one}, {"softcap", 2.0}},
       23},
      {"RotaryEmbedding",
       {Shape{1, 2, 3, 6}, Shape{1, 3, 2}, Shape{1, 3, 2}},
       {{"rotary_embedding_dim", Index{4}}},
       23},
      {"Acos", {Shape{2, 3}}, {}, 17, 0.5},
      {"Acosh", {Shape{2, 3}}, {}, 17, 2.0},
      {"Asin", {Shape{2, 3}}, {}, 17, 0.5},
      {"Asinh", {Shape{2, 3}}},
      {"Atan", {Shape{2, 3}}},
      {"Atanh", {Shape{2, 3}}, {}, 17, 0.5},
      {"CastLike", {Shape{2, 3}, Shape{1}}},
      {"Celu", {Shape{2, 3}}, {{"alpha", 0.7}}},
      {"CenterCropPad", {Shape{2, 5}, Whole{{4, 2}}}, {}, 18},
      {"Compress", {Shape{3, 2}, Whole{{1, 0, 1}}}, {{"axis", Index{0}}}},
      {"ConvTranspose",
       {Shape{2, 2, 3, 4}, Shape{2, 3, 3, 2}, Shape{3}},
       {{"strides", List{2, 1}}, {"pads", List{1, 0, 0, 1}}}},
      {"ConvTranspose",
       {Shape{1, 4, 3, 3}, Shape{4, 1, 2, 2}},
       {{"group", two}, {"auto_pad", "SAME_UPPER"}, {"strides", List{2, 2}}}},
      {"ConvTranspose", {Shape{2, 2, 4}, Shape{2, 3, 3}}, {{"dilations", List{2}}, {"output_padding", List{0}}}},
      {"Cos", {Shape{2, 3}}},
      {"Cosh", {Shape{2, 3}}},
      {"CumProd", {Shape{2, 3}, Whole{{1}}}, {}, 26},
      {"CumSum", {Shape{2, 3}, Whole{{1}}}, {{"reverse", one}, {"exclusive", one}}},
      {"DepthToSpace", {Shape{1, 8, 2, 3}}, {{"blocksize", two}, {"mode", "CRD"}}},
      {"Div", {Shape{2, 3}, Shape{3}}, {}, 17, 0.5},
      {"Einsum", {Shape{2, 3}, Shape{3, 4}}, {{"equation", "ij,jk->ki"}}},
      {"Einsum", {Shape{3, 3}}, {{"equation", "ii->i"}}},
      {"Einsum", {Shape{2, 2, 3}, Shape{2, 3, 2}}, {{"equation", "...ij,...jk->...ik"}}},
      {"Exp", {Shape{2, 3}}},
      {"Expand", {Shape{2, 1}, Whole{{2, 3}}}},
      {"Gather", {Shape{3, 2}, Whole{{2, 0, 2}}}, {{"axis", Index{0}}}},
      {"Gather", {Shape{3, 2}, Whole{{1, -1}}}, {{"axis", one}}},
      {"GatherElements", {Shape{2, 2}, Whole{{1, 0, 0, 0}, {2, 2}}}, {{"axis", one}}},
      {"GatherND", {Shape{2, 2}, Whole{{1, 0, 0, 1}, {2, 2}}}},
      {"Gelu", {Shape{2, 3}}, {}, 20},
      {"Gelu", {Shape{2, 3}}, {{"approximate", "tanh"}}, 20},
      {"GlobalLpPool", {Shape{1, 2, 3, 2}}, {{"p", Index{3}}}, 17, 0.5},
      {"GroupNormalization", {Shape{2, 4, 3}, Shape{4}, Shape{4}}, {{"num_groups", two}}, 21},
      {"HardSigmoid", {Shape{2, 3}}, {{"alpha", 0.3}}},
      {"HardSwish", {Shape{2, 3}}},
      {"Identity", {Shape{2, 3}}},
      {"InstanceNormalization", {Shape{2, 2, 4}, Shape{2}, Shape{2}}},
      {"LRN", {Shape{1, 5, 2, 2}}, {{"size", Index{3}}, {"alpha", 0.2}}},
      {"Log", {Shape{2, 3}}, {}, 17, 0.5},
      {"LpNormalization", {Shape{2, 3}}, {{"axis", one}}},
      {"LpPool", {Shape{1, 2, 4, 4}}, {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}}},
      {"Max", {Shape{2, 3}, Shape{3}}},
      {"MaxUnpool",
       {Shape{1, 1, 2, 2}, Whole{{0, 3, 8, 15}, {1, 1, 2, 2}}},
       {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}}},
      {"Mean", {Shape{2, 3}, Shape{3}}},
      {"MeanVarianceNormalization", {Shape{2, 3, 2, 2}}},
      {"Min", {Shape{2, 3}, Shape{2, 1}}},
      {"Mish", {Shape{2, 3}}, {}, 18},
      {"Mod", {Shape{2, 3}, Shape{3}}, {{"fmod", one}}, 17, 0.9},
      {"NegativeLogLikelihoodLoss", {Shape{3, 4}, Whole{{1, 0, 3}}}},
      {"OneHot", {Whole{{1, 0}}, Whole{{3}}, Shape{2}}},
      {"Pad", {Shape{2, 3}, Whole{{1, 2, 0, -1}}}, {{"mode", "reflect"}}},
      {"Pad", {Shape{2, 3}, Whole{{1, 2, 0, 1}}}},
      {"Pow", {Shape{2, 3}, Shape{3}}, {}, 17, 0.5},
      {"RMSNormalization", {Shape{2, 3}, Shape{3}}, {}, 23},
      {"RNN", {Shape{3, 2, 2}, Shape{1, 2, 2}, Shape{1, 2, 2}, Shape{1, 4}}},
      {"RNN",
       {Shape{3, 2, 2}, Shape{2, 2, 2}, Shape{2, 2, 2}, Shape{2, 4}},
       {{"activations", std::vector<std::string>{"ScaledTanh", "Softsign"}},
        {"activation_alpha", std::vector<double>{1.5}},
        {"activation_beta", std::vector<double>{0.5}},
        {"direction", "bidirectional"}}},
      {"GRU",
       {Shape{3, 2, 2}, Shape{1, 6, 2}, Shape{1, 6, 2}, Shape{1, 12}},
       {{"activations", std::vector<std::string>{"Softsign", "Softplus"}}, {"clip", 50.0}}},
      {"GRU",
       {Shape{3, 2, 2}, Shape{1, 6, 2}, Shape{1, 6, 2}, Shape{1, 12}},
       {{"activations", std::vector<std::string>{"Sigmoid", "Affine"}},
        {"activation_alpha", std::vector<double>{0.7}},
        {"linear_before_reset", one}}},
      {"LSTM",
       {Shape{3, 2, 2}, Shape{1, 8, 2}, Shape{1, 8, 2}, Shape{1, 16}},
       {{"activations", std::vector<std::string>{"Sigmoid", "Elu", "Softsign"}}, {"input_forget", one}}},
      {"Reciprocal", {Shape{2, 3}}, {}, 17, 0.5},
      {"ReduceL1", {Shape{2, 3}}, {{"axes", List{1}}}},
      {"ReduceL2", {Shape{2, 3}, Whole{{0}}}, {}, 18},
      {"ReduceLogSum", {Shape{2, 3}}, {{"axes", List{1}}}, 17, 0.5},
      {"ReduceLogSumExp", {Shape{2, 3}}, {{"axes", List{1}}}},
      {"ReduceMin", {Shape{2, 3}}, {{"axes", List{1}}}},
      {"ReduceProd", {Shape{2, 3}, Whole{{1}}}, {}, 18},
      {"ReduceSumSquare", {Shape{2, 3}}, {{"axes", List{0}}}},
      {"Reshape", {Shape{2, 3}, Whole{{3, -1}}}},
      {"Resize", {Shape{1, 2, 3, 4}, Shape{0}, Shape{0}, Whole{{1, 2, 5, 7}}}, {{"mode", "cubic"}}},
      {"Resize",
       {Shape{1, 1, 6, 4}, Shape{0}, Shape{0}, Whole{{1, 1, 3, 5}}},
       {{"mode", "linear"}, {"antialias", one}},
       18},
      {"Resize", {Shape{1, 2, 3, 4}, Shape{0}, Shape{0}, Whole{{1, 2, 5, 7}}}},
      {"ReverseSequence", {Shape{3, 2, 2}, Whole{{3, 1}}}},
      {"Scatter", {Shape{3, 2}, Whole{{2, 0}, {1, 2}}, Shape{1, 2}}, {}, 10},
      {"ScatterElements", {Shape{3, 2}, Whole{{2, 0, 2, 1}, {2, 2}}, Shape{2, 2}}, {{"reduction", "add"}}},
      {"ScatterND", {Shape{3, 2}, Whole{{2, 0}, {2, 1}}, Shape{2, 2}}},
      {"Shrink", {Shape{2, 3}}, {{"lambd", 0.05}, {"bias", 0.05}}},
      {"Sigmoid", {Shape{2, 3}}},
      {"Sin", {Shape{2, 3}}},
      {"Sinh", {Shape{2, 3}}},
      {"Softsign", {Shape{2, 3}}},
      {"SoftmaxCrossEntropyLoss", {Shape{3, 4}, Whole{{1, 0, 3}}}},
      {"SpaceToDepth", {Shape{1, 2, 4, 2}}, {{"blocksize", two}}},
      {"Split", {Shape{2, 3}}},
      {"Sqrt", {Shape{2, 3}}, {}, 17, 0.5},
      {"Squeeze", {Shape{2, 1, 3}}},
      {"Sum", {Shape{2, 3}, Shape{3}}},
      {"Swish", {Shape{2, 3}}, {{"alpha", 0.7}}, 24},
      {"Tan", {Shape{2, 3}}, {}, 17, 0.5},
      {"Tanh", {Shape{2, 3}}},
      {"TensorScatter", {Shape{2, 3, 2}, Shape{2, 1, 2}, Whole{{1, 2}}}, {}, 24},
      {"ThresholdedRelu", {Shape{2, 3}}, {{"alpha", 0.2}}},
      {"Tile", {Shape{2, 3}, Whole{{2, 1}}}},
      {"TopK", {Shape{2, 4}, Whole{{2}}}},
      {"Trilu", {Shape{3, 3}}},
      {"Upsample", {Shape{1, 1, 2, 3}, Whole{{1, 1, 2, 3}}}, {{"mode", "linear"}}, 9},
      {"Where", {Whole{{1, 0, 1}}, Shape{3}, Shape{2, 3}}},
  };
  return all;
}

TEST(OnnxGradients, AreThoseOfFiniteDifferences) {
  for (const GradientCase& each : gradient_cases()) {
    const onnx::Model model = onnx::parse(gradient_file(each), each.op);
    std::vector<Tensor> inputs;
    for (const auto& input : each.inputs) {
      if (const auto* const shape = std::get_if<Shape>(&input)) {
        inputs.push_back(normal(*shape, inputs.size() + 3));
        if (each.from == 0) continue;
        Rng(inputs.size())
            .fill_uniform(inputs.back(), static_cast<Real>(each.from), static_cast<Real>(each.from + 0.4));
      }
    }
    if (each.op == "BatchNormalization") {
      for (Real& variance : inputs.back()) variance = 1 + variance * variance;
    }
    const CheckReport report = check_gradients([&](std::span<const Var> in) { return model.forward(in)[0]; }, inputs);
    EXPECT_TRUE(report) << each.op << ", opset " << each.opset << '\n' << to_string(report);
  }
}

/// Their results have shapes that depend on the values, so that these must not be random.
TEST(OnnxGradients, OfRangeAndUniqueAreThoseOfFiniteDifferences) {
  const auto check = [](const GradientCase& each, const std::vector<Tensor>& inputs, Index size) {
    const onnx::Model model = onnx::parse(gradient_file(each), each.op);
    const auto f = [&](std::span<const Var> in) { return model.forward(in)[0]; };
    const CheckReport report = check_gradients(f, inputs);
    EXPECT_TRUE(report) << each.op << '\n' << to_string(report);
    Tape tape;
    std::vector<Var> in;
    for (const Tensor& input : inputs) in.push_back(tape.variable(input));
    EXPECT_EQ(f(in).size(), size) << each.op;
  };
  const auto scalar = [](double v) { return Tensor({}, {static_cast<Real>(v)}); };
  check({"Range", {Shape{}, Shape{}, Shape{}}}, {scalar(0.3), scalar(2.1), scalar(0.5)}, 4);
  check({"Range", {Shape{}, Shape{}, Shape{}}}, {scalar(2.1), scalar(0.3), scalar(-0.8)}, 3);
  const Tensor x({5}, {2, -1, 3, Real(0.5), -4});
  check({"Unique", {Shape{5}}}, {x}, 5);
  check({"Unique", {Shape{5}}, {{"sorted", Index{0}}}}, {x}, 5);
  check({"Unique", {Shape{2, 2}}, {{"axis", Index{1}}}}, {Tensor({2, 2}, {3, 1, 2, 7})}, 4);
}

TEST(OnnxGradients, AreCheckedForEveryOpThatHasOne) {
  std::set<std::string_view> checked;
  for (const GradientCase& each : gradient_cases()) checked.insert(each.op);
  // Dropout draws numbers; Range and Unique have a test of their own.
  checked.insert({"Dropout", "Range", "Unique", "If"});
  for (const auto& ops : onnx::detail::all_ops()) {
    for (const onnx::detail::Op& op : ops) {
      if (op.gradient != onnx::detail::Gradient::yes || (op.takes & onnx::detail::reals) == 0) continue;
      EXPECT_TRUE(checked.contains(op.name)) << op.name << " has no case in tests/onnx/gradients_test.cpp";
    }
  }
}

}  // namespace
}  // namespace cornu
