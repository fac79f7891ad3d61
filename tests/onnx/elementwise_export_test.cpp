#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/onnx/support.h"

/// How comparisons, selections, functions of one value, and reductions are written.
namespace cornu {
namespace {

using testing::exported;
using testing::normal;

Sequential model_of_formula(const Shape& input, Var (*formula)(Var)) { return {Input{input}, Activation{formula}}; }

TEST(OnnxOfElementwiseOps, ReadBackAsTheModelPredicts) {
  Var (*const formulas[])(Var) = {
      [](Var x) { return equal(relu(x), 0) + 2 * not_equal(relu(x), 0) + equal(x, slice_axis(x, 2, 0, 1)); },
      [](Var x) { return where(not_equal(relu(x), 0), x, -7) + where(relu(x), slice_axis(x, 1, 0, 1), 2); },
      [](Var x) {
        return where(relu(x), 1, x.tape().constant(Tensor::vector({1, 2, 3, 4})));
      },
      [](Var x) { return clip(x, -0.5, 0.25) + clip(x, 0.1, std::numeric_limits<double>::infinity()); },
      [](Var x) { return clip(x, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()); },
      [](Var x) { return erf(x) + expm1(x) + log1p(abs(x)); },
      [](Var x) { return 1e6 * (expm1(x / 1e6) + log1p(x / 1e6)); },  // precise near 0
      [](Var x) { return log1p(1e30 * square(x)) + expm1(-100 * abs(x)); },
      [](Var x) { return hard_sigmoid(3 * x) + hard_silu(3 * x) + softsign(x) + mish(x); },
      [](Var x) { return relu6(9 * x) + selu(x) + celu(x, 0.7) + log_sigmoid(x); },
      [](Var x) { return variance(x, 1, {.keepdims = true}) + variance(x, 2, {.keepdims = true}) + isnan(x); },
  };
  int number = 0;
  for (const auto formula : formulas) {
    SCOPED_TRACE(number++);
    const Sequential model = model_of_formula({3, 4}, formula);
    for (const Index opset : {13, 17}) {
      const onnx::Model loaded = onnx::parse(exported(model, {.opset = opset}));
      for (const Index batch : {1, 3}) {
        const Tensor x = normal({batch, 3, 4}, 3);
        testing::expect_close(loaded.predict(x), model.predict(x));
      }
    }
  }
}

TEST(OnnxOfElementwiseOps, KeepTheChannelsFirstBetweenConvolutions) {
  const Conv2D conv{.filters = 3, .kernel_size = 3, .padding = Padding::same};
  const Sequential model{Input{5, 5, 3}, conv, Activation{[](Var x) {
                           const Var row = x.tape().constant(Tensor::vector({1, 2, 3}));
                           return where(not_equal(relu(x), 0), hard_silu(x), row) + clip(x, -1, 1);
                         }},
                         conv};
  const std::string bytes = exported(model);
  const Tensor x = normal({2, 5, 5, 3}, 3);
  testing::expect_close(onnx::parse(bytes).predict(x), model.predict(x));
  int transposes = 0;
  for (const auto& node : onnx::detail::read_model(bytes, "export").graph.nodes) {
    transposes += node.op_type == "Transpose" ? 1 : 0;
  }
  EXPECT_EQ(transposes, 2) << "of the input and of the output";
}

/// The nodes of a graph, without its constants and the Identity of the output, with their integer attributes.
std::string nodes_of(const std::string& bytes) {
  std::string text;
  const auto model = onnx::detail::read_model(bytes, "export");
  for (const auto& node : model.graph.nodes) {
    if (node.op_type == "Constant" || node.op_type == "Identity") continue;
    text += (text.empty() ? "" : " ") + std::string(node.op_type);
    for (const auto& attribute : node.attributes) {
      text += message(" {}={}", attribute.name, attribute.integer);
      for (const Index number : attribute.integers) text += message("[{}]", number);
    }
    if (node.op_type.starts_with("Reduce")) text += message(" inputs={}", node.inputs.size());
  }
  return text;
}

TEST(OnnxOfElementwiseOps, AreTheseNodesAndReadBack) {
  struct Row {
    std::string nodes;
    Var (*formula)(Var);
    Index opset = 17;
  };
  const Row rows[] = {
      {"Greater Cast to=1", [](Var x) { return ops::greater(x, 1); }},
      {"GreaterOrEqual Cast to=1", [](Var x) { return ops::greater_equal(x, 1); }},
      {"Less Cast to=1", [](Var x) { return ops::less(1, x); }},
      {"LessOrEqual Cast to=1", [](Var x) { return ops::less_equal(x, 1); }},
      {"Equal Cast to=1", [](Var x) { return ops::logical_not(x); }},
      {"Equal Cast to=1 Sub", [](Var x) { return isnan(x); }},
      {"Abs Equal Cast to=1", [](Var x) { return isinf(x); }},
      {"Cast to=9 Cast to=9 And Cast to=1", [](Var x) { return ops::logical_and(x, 1); }},
      {"Cast to=9 Cast to=9 Or Cast to=1", [](Var x) { return ops::logical_or(x, 1); }},
      {"Cast to=9 Cast to=9 Xor Cast to=1", [](Var x) { return ops::logical_xor(x, 1); }},
      {"Cast to=9 Where", [](Var x) { return where(x, 1, 2); }},
      {"Mod fmod=1 Sign Sign Mul Less Add Where", [](Var x) { return mod(x, 3); }},
      {"Sin", sin},
      {"Cos", cos},
      {"Erf", erf},
      {"Sign", sign},
      {"Floor", floor},
      {"Ceil", ceil},
      {"Round", round},
      {"Mish", mish, 18},
      {"Softsign", softsign},
      {"HardSigmoid alpha=0 beta=0", hard_sigmoid},
      {"HardSwish", hard_silu},
      {"HardSigmoid alpha=0 beta=0 Mul", hard_silu, 13},
      {"ReduceMin axes=0[2] keepdims=0 inputs=1", [](Var x) { return min(x, 2); }},
      {"ReduceMin keepdims=0 inputs=2", [](Var x) { return min(x, 2); }, 18},
      {"ReduceProd axes=0[1] keepdims=1 inputs=1", [](Var x) { return prod(x, 1, {.keepdims = true}); }},
      {"ReduceProd keepdims=1 inputs=2", [](Var x) { return prod(x, 1, {.keepdims = true}); }, 18},
      {"ReduceLogSumExp axes=0[2] keepdims=0 inputs=1", [](Var x) { return logsumexp(x, 2); }},
      {"ReduceLogSumExp keepdims=0 inputs=2", [](Var x) { return logsumexp(x, 2); }, 18},
      {"Squeeze CumSum exclusive=0 reverse=0", [](Var x) { return cumsum(x, 1); }},
      {"Squeeze CumSum exclusive=1 reverse=1",
       [](Var x) { return cumsum(x, 2, {.exclusive = true, .reverse = true}); }},
  };
  Tensor x = normal({2, 3, 4}, 5);
  for (Index i = 0; i < 9; ++i) x[i] = static_cast<Real>(i - 4);  // 0, 1, and the bounds of the pieces of functions
  for (const Row& row : rows) {
    SCOPED_TRACE(row.nodes);
    const Sequential model = model_of_formula({3, 4}, row.formula);
    const std::string bytes = exported(model, {.opset = row.opset});
    EXPECT_EQ(nodes_of(bytes), row.nodes);
    testing::expect_close(onnx::parse(bytes).predict(x), model.predict(x));
  }
}

}  // namespace
}  // namespace cornu
