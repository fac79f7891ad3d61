#include <algorithm>
#include <cmath>
#include <string>

#include "cornu/core/ops/eager.h"
#include "cornu/onnx/rows.h"

/// How elementwise ops, reductions and softmax are written.
namespace cornu::onnx::detail {

namespace {

/// True if the operands with as many axes as the result can be read with the channels first: one of them is stored so,
/// and no other one has fewer axes.
bool suits_channels_first(const OpWriter& to) {
  bool any = false, all = true;
  for (std::size_t i = 0; i < to.operand_count(); ++i) {
    any = any || to.is_channels_first(i);
    all = all && (to.value(i).is_known() || to.value(i).shape.size() == to.result().shape.size());
  }
  return any && all;
}

/// An operand of an elementwise op. A constant is written without axes of size 1 in front, which broadcasting adds.
std::string broadcastable(OpWriter& to, std::size_t i) {
  const Trace::Value& value = to.value(i);
  bool is_wider = false;  // another operand has all axes
  for (std::size_t k = 0; k < to.operand_count(); ++k) {
    is_wider = is_wider || (!to.value(k).is_known() && to.value(k).shape.size() == to.result().shape.size());
  }
  if (!is_wider || value.trains || !value.is_known() || value.data.shape().rank() == 0) return to.operand(i);
  Shape shape = value.data.shape();
  while (shape.rank() > 0 && shape[0] == 1) shape = shape.without(0);
  return to.constant(reshape(Tensor(value.data), shape));
}

/// y = type(operands), elementwise, in the layout that the operands have.
Written elementwise(OpWriter& to, std::string_view type, std::span<const Given> attributes = {}) {
  const bool first = suits_channels_first(to);
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < to.operand_count(); ++i)
    inputs.push_back(first ? to.channels_first(i) : broadcastable(to, i));
  return {to.node(type, inputs, attributes), first};
}

OpRow each(std::string type) {
  return [type = std::move(type)](OpWriter& to) { return elementwise(to, type); };
}

/// y = f(x), where f writes elementwise nodes.
template <class F>
Written mapped(OpWriter& to, F f) {
  const bool first = to.is_channels_first(0);
  return {f(first ? to.channels_first(0) : to.operand(0)), first};
}

Written write_swish(OpWriter& to) {
  return mapped(to, [&](const std::string& x) { return to.node("Mul", {x, to.node("Sigmoid", {x})}); });
}

Written write_square(OpWriter& to) {
  return mapped(to, [&](const std::string& x) { return to.node("Mul", {x, x}); });
}

Written write_not_equal(OpWriter& to) {
  return mapped(to, [&](const std::string& x) {
    const std::string equal = to.node("Equal", {x, to.constant(to.op().real("value"))});
    return to.node("Sub", {to.constant(1), to.node("Cast", {equal}, {{"to", Index{1}}})});  // to float
  });
}

/// Before opset 20 from simpler ops: x (1 + erf(x / sqrt 2)) / 2, or with `approximate`
/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
Written write_gelu(OpWriter& to) {
  const bool approximate = to.op().flag("approximate");
  return mapped(to, [&](const std::string& x) {
    if (to.opset() >= 20) return to.node("Gelu", {x}, {{"approximate", approximate ? "tanh" : "none"}});
    const auto by = [&](const std::string& value, const char* type, double number) {
      return to.node(type, {value, to.constant(number)});
    };
    std::string inner;
    if (approximate) {
      const std::string sum = to.node("Add", {x, by(by(x, "Pow", 3), "Mul", 0.044715)});
      inner = to.node("Tanh", {by(sum, "Mul", std::sqrt(2 / std::acos(-1.0)))});
    } else {
      inner = to.node("Erf", {by(x, "Mul", std::sqrt(0.5))});
    }
    return to.node("Mul", {x, by(by(inner, "Add", 1), "Mul", 0.5)});
  });
}

Written along_axis(OpWriter& to, const char* type) {
  const Index rank = static_cast<Index>(to.result().shape.size()), axis = to.op().integer("axis");
  const bool first = to.is_channels_first(0) && rank > 2;
  const Index at = first ? channels_first_axis(axis, rank) : axis;
  // Written as -1 where it is the last axis, as other exporters do.
  return {to.node(type, {first ? to.channels_first(0) : to.operand(0)}, {{"axis", at == rank - 1 ? Index{-1} : at}}),
          first};
}

/// A reduction. The axes are an attribute before opset `since`, and an input from there on.
Written reduced(OpWriter& to, const char* type, Index since) {
  const Trace::Op& op = to.op();
  const auto rank = static_cast<Index>(to.value(0).shape.size());
  if (!op.has("axis")) return to.node(type, {to.operand(0)}, {{"keepdims", Index{0}}});
  const Index axis = op.integer("axis");
  const bool keeps = op.flag("keepdims"), first = to.is_channels_first(0) && rank > 2 && axis != 0;
  const std::vector<Index> axes{first ? channels_first_axis(axis, rank) : axis};
  const Given keepdims{"keepdims", Index{keeps}};
  const std::string x = first ? to.channels_first(0) : to.operand(0);
  std::string y = to.opset() >= since ? to.node(type, {x, to.integers(axes)}, {keepdims})
                                      : to.node(type, {x}, {{"axes", axes}, keepdims});
  // Without the axis of the channels, the other axes are in their usual order.
  return {std::move(y), first && (keeps || axis != rank - 1)};
}

OpRow reduction(const char* type, Index since) {
  return [=](OpWriter& to) { return reduced(to, type, since); };
}

}  // namespace

OpRows arithmetic_rows() {
  return {
      {"add", each("Add")},
      {"subtract", each("Sub")},
      {"multiply", each("Mul")},
      {"divide", each("Div")},
      {"pow", each("Pow")},
      {"maximum", each("Max")},
      {"minimum", each("Min")},
      {"negate", each("Neg")},
      {"exp", each("Exp")},
      {"log", each("Log")},
      {"sqrt", each("Sqrt")},
      {"abs", each("Abs")},
      {"relu", each("Relu")},
      {"sigmoid", each("Sigmoid")},
      {"tanh", each("Tanh")},
      {"softplus", each("Softplus")},
      {"erf", each("Erf")},  // of an imported model
      {"square", write_square},
      {"swish", write_swish},
      {"gelu", write_gelu},
      {"leaky_relu",
       [](OpWriter& to) {
         const Given alpha{"alpha", to.op().real("negative_slope")};
         return elementwise(to, "LeakyRelu", {&alpha, 1});
       }},
      {"elu",
       [](OpWriter& to) {
         const Given alpha{"alpha", to.op().real("alpha")};
         return elementwise(to, "Elu", {&alpha, 1});
       }},
      {"not_equal", write_not_equal},
      {"softmax", [](OpWriter& to) { return along_axis(to, "Softmax"); }},
      {"log_softmax", [](OpWriter& to) { return along_axis(to, "LogSoftmax"); }},
      {"sum", reduction("ReduceSum", 13)},
      {"mean", reduction("ReduceMean", 18)},
      {"max", reduction("ReduceMax", 18)},
  };
}

}  // namespace cornu::onnx::detail
