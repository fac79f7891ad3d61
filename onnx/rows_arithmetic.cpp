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

/// y = f(names of the operands), where f writes elementwise nodes, in the layout that the operands have.
template <class F>
Written combined(OpWriter& to, F f) {
  const bool first = suits_channels_first(to);
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < to.operand_count(); ++i)
    inputs.push_back(first ? to.channels_first(i) : broadcastable(to, i));
  return {f(inputs), first};
}

/// y = type(operands), elementwise.
Written elementwise(OpWriter& to, std::string_view type, std::span<const Given> attributes = {}) {
  return combined(to, [&](const std::vector<std::string>& inputs) { return to.node(type, inputs, attributes); });
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

std::string cast(OpWriter& to, const std::string& x, ElementType type) {
  return to.node("Cast", {x}, {{"to", static_cast<Index>(type)}});
}

/// A comparison, whose result is a boolean in ONNX.
OpRow comparison(std::string type) {
  return [type = std::move(type)](OpWriter& to) {
    return combined(to, [&](const std::vector<std::string>& inputs) {
      return cast(to, to.node(type, inputs), ElementType::float32);
    });
  };
}

Written write_not_equal(OpWriter& to) {
  return combined(to, [&](const std::vector<std::string>& inputs) {
    return to.node("Sub", {to.constant(1), cast(to, to.node("Equal", inputs), ElementType::float32)});
  });
}

OpRow logic(std::string type) {
  return [type = std::move(type)](OpWriter& to) {
    return combined(to, [&](const std::vector<std::string>& inputs) {
      const std::string a = cast(to, inputs[0], ElementType::boolean), b = cast(to, inputs[1], ElementType::boolean);
      return cast(to, to.node(type, {a, b}), ElementType::float32);
    });
  };
}

Written write_where(OpWriter& to) {
  return combined(to, [&](const std::vector<std::string>& inputs) {
    return to.node("Where", {cast(to, inputs[0], ElementType::boolean), inputs[1], inputs[2]});
  });
}

/// ONNX's Mod of floats has the sign of a.
Written write_mod(OpWriter& to) {
  return combined(to, [&](const std::vector<std::string>& inputs) {
    const std::string &a = inputs[0], &b = inputs[1], rest = to.node("Mod", {a, b}, {{"fmod", Index{1}}});
    const std::string signs = to.node("Mul", {to.node("Sign", {rest}), to.node("Sign", {b})});
    return to.node("Where", {to.node("Less", {signs, to.constant(0)}), to.node("Add", {rest, b}), rest});
  });
}

Written write_clip(OpWriter& to) {
  return mapped(to, [&](const std::string& x) {
    const auto bound = [&](const char* name) {
      const double number = to.op().real(name);
      return std::isinf(number) ? std::string() : to.constant(number);
    };
    const std::string least = bound("min"), most = bound("max");
    return least.empty() && most.empty() ? x : to.node("Clip", {x, least, most});
  });
}

/// e^x - 1 = tanh(x / 2) (e^x + 1), precise near 0.
Written write_expm1(OpWriter& to) {
  return mapped(to, [&](const std::string& x) {
    const std::string half = to.node("Tanh", {to.node("Mul", {x, to.constant(0.5)})});
    return to.node("Mul", {half, to.node("Add", {to.node("Exp", {x}), to.constant(1)})});
  });
}

/// log(1 + x) with u = 1 + x as it is rounded: x if u is 1, log(u) if u is x (infinite, for instance), else
/// log(u) x / (u - 1), in which the rounding of u cancels (Higham 2002, section 1.14.1).
Written write_log1p(OpWriter& to) {
  return mapped(to, [&](const std::string& x) {
    const std::string one = to.constant(1), u = to.node("Add", {x, one}), log = to.node("Log", {u});
    const std::string scaled = to.node("Mul", {log, to.node("Div", {x, to.node("Sub", {u, one})})});
    const std::string near = to.node("Where", {to.node("Equal", {u, one}), x, scaled});
    return to.node("Where", {to.node("Equal", {u, x}), log, near});
  });
}

/// min(max(x / 6 + 1/2, 0), 1).
std::string hard_sigmoid(OpWriter& to, const std::string& x) {
  return to.node("HardSigmoid", {x}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
}

Written write_hard_sigmoid(OpWriter& to) {
  return mapped(to, [&](const std::string& x) { return hard_sigmoid(to, x); });
}

Written write_hard_silu(OpWriter& to) {
  return mapped(to, [&](const std::string& x) {
    return to.opset() >= 14 ? to.node("HardSwish", {x}) : to.node("Mul", {x, hard_sigmoid(to, x)});
  });
}

Written write_mish(OpWriter& to) {
  return mapped(to, [&](const std::string& x) {
    if (to.opset() >= 18) return to.node("Mish", {x});
    return to.node("Mul", {x, to.node("Tanh", {to.node("Softplus", {x})})});
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

Written write_cumsum(OpWriter& to) {
  const std::string axis = to.node("Squeeze", {to.integers({to.op().integer("axis")})});  // a scalar
  return to.node("CumSum", {to.operand(0), axis},
                 {{"exclusive", Index{to.op().flag("exclusive")}}, {"reverse", Index{to.op().flag("reverse")}}});
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
      {"sin", each("Sin")},
      {"cos", each("Cos")},
      {"erf", each("Erf")},
      {"sign", each("Sign")},
      {"floor", each("Floor")},
      {"ceil", each("Ceil")},
      {"round", each("Round")},
      {"log1p", write_log1p},
      {"expm1", write_expm1},
      {"clip", write_clip},
      {"hard_sigmoid", write_hard_sigmoid},
      {"hard_silu", write_hard_silu},
      {"softsign", each("Softsign")},
      {"mish", write_mish},
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
      {"mod", write_mod},
      {"equal", comparison("Equal")},
      {"not_equal", write_not_equal},
      {"greater", comparison("Greater")},
      {"greater_equal", comparison("GreaterOrEqual")},
      {"less", comparison("Less")},
      {"less_equal", comparison("LessOrEqual")},
      {"logical_and", logic("And")},
      {"logical_or", logic("Or")},
      {"logical_xor", logic("Xor")},
      {"where", write_where},
      {"softmax", [](OpWriter& to) { return along_axis(to, "Softmax"); }},
      {"log_softmax", [](OpWriter& to) { return along_axis(to, "LogSoftmax"); }},
      {"sum", reduction("ReduceSum", 13)},
      {"mean", reduction("ReduceMean", 18)},
      {"max", reduction("ReduceMax", 18)},
      {"min", reduction("ReduceMin", 18)},
      {"prod", reduction("ReduceProd", 18)},
      {"logsumexp", reduction("ReduceLogSumExp", 18)},
      {"cumsum", write_cumsum},
  };
}

}  // namespace cornu::onnx::detail
