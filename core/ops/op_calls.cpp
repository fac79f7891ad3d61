#include "cornu/core/ops/op_calls.h"

#include <algorithm>

#include "cornu/core/autodiff/op_rows.h"
#include "cornu/core/ops/comparisons.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/resample.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/core/ops/transposed_windows.h"

namespace cornu::detail {

namespace {

using Operands = std::span<const Var>;

OpCall unary(Var (*function)(Var)) {
  return [function](const Trace::Op&, Operands x, const Shape&) { return function(x[0]); };
}

template <class F>
OpCall binary(F function) {
  return [function](const Trace::Op&, Operands x, const Shape&) { return function(x[0], x[1]); };
}

Var reduced(const Trace::Op& op, Var x, Var (*whole)(Var), Var (*along)(Var, Index, const ReduceOptions&)) {
  return op.has("axis") ? along(x, op.integer("axis"), {.keepdims = op.flag("keepdims")}) : whole(x);
}

OpCall reduction(Var (*whole)(Var), Var (*along)(Var, Index, const ReduceOptions&)) {
  return [=](const Trace::Op& op, Operands x, const Shape&) { return reduced(op, x[0], whole, along); };
}

Size2D size(const Trace::Op& op, std::string_view name) { return {op.integers(name)[0], op.integers(name)[1]}; }

/// The padding with these amounts before and after both axes of the input.
Padding padding_of(const Trace::Op& op, Size2D taps, Size2D dilation) {
  const std::vector<Index>& pads = op.integers("pads");
  if (std::all_of(pads.begin(), pads.end(), [](Index pad) { return pad == 0; })) return Padding::valid;
  const bool causal = pads[2] == 0 && pads[3] == 0 && pads[0] == (taps.height - 1) * dilation.height &&
                      pads[1] == (taps.width - 1) * dilation.width;
  return causal ? Padding::causal : Padding::same;
}

Var convolved(const Trace::Op& op, Operands x, const Shape&) {
  const Size2D dilations = size(op, "dilations");
  const Shape& kernel = x[1].shape();
  const Conv2DOptions options{.strides = size(op, "strides"),
                              .padding = padding_of(op, {kernel[0], kernel[1]}, dilations),
                              .dilation_rate = dilations,
                              .groups = op.integer("groups"),
                              .relu = op.flag("relu")};
  return x.size() > 2 ? conv2d(x[0], x[1], x[2], options) : conv2d(x[0], x[1], options);
}

Var convolved_depthwise(const Trace::Op& op, Operands x, const Shape&) {
  const Size2D dilations = size(op, "dilations");
  const Shape& kernel = x[1].shape();
  const DepthwiseConv2DOptions options{.strides = size(op, "strides"),
                                       .padding = padding_of(op, {kernel[0], kernel[1]}, dilations),
                                       .dilation_rate = dilations};
  return x.size() > 2 ? depthwise_conv2d(x[0], x[1], x[2], options) : depthwise_conv2d(x[0], x[1], options);
}

Var convolved_transposed(const Trace::Op& op, Operands x, const Shape&) {
  TransposedWindows windows;
  const auto copy = [&](const char* name, auto& to) { std::copy_n(op.integers(name).begin(), to.size(), to.begin()); };
  copy("strides", windows.strides);
  copy("dilations", windows.dilations);
  copy("pads", windows.pads);
  copy("output_padding", windows.output_padding);
  windows.groups = op.integer("groups");
  return conv2d_transpose(x[0], x[1], x.size() > 2 ? x[2] : Var(), windows);
}

/// Operands of an op along an axis: a constant of one row is repeated for each row of the result, because a stream
/// calls ops for several steps at once.
Var as_many_rows(const Trace::Op& op, Var x, const Shape& shape) {
  const bool is_row = op.integer("axis") != 0 && x.shape()[0] == 1 && shape[0] > 1;
  return is_row ? broadcast_to(x, x.shape().with(0, shape[0])) : x;
}

OpCall pooled(Var (*pool)(Var, Size2D, const Pool2DOptions&)) {
  return [pool](const Trace::Op& op, Operands x, const Shape&) {
    const Size2D taps = size(op, "size");
    return pool(x[0], taps, {.strides = size(op, "strides"), .padding = padding_of(op, taps, 1)});
  };
}

OpCall recurrent(Var (*with_bias)(Var, Operand, Operand, Operand, const RecurrentOptions&),
                 Var (*without)(Var, Operand, Operand, const RecurrentOptions&)) {
  return [=](const Trace::Op& op, Operands x, const Shape&) {
    const RecurrentOptions options{.return_sequences = op.flag("return_sequences"),
                                   .go_backwards = op.flag("go_backwards")};
    return x.size() > 3 ? with_bias(x[0], x[1], x[2], x[3], options) : without(x[0], x[1], x[2], options);
  };
}

using WithState = RecurrentOutput (*)(Var, const RecurrentState&, Operand, Operand, Operand, const RecurrentOptions&);
using WithStateOnly = RecurrentOutput (*)(Var, const RecurrentState&, Operand, Operand, const RecurrentOptions&);

/// The result of the op "lstm_with_state" ends with a row for c.
OpCall recurrent_with_state(WithState with_bias, WithStateOnly without, std::size_t states) {
  return [=](const Trace::Op& op, Operands x, const Shape& shape) {
    const RecurrentOptions options{.return_sequences = op.flag("return_sequences"),
                                   .go_backwards = op.flag("go_backwards")};
    const std::size_t others = op.flag("initial_state") ? x.size() - states : x.size();
    RecurrentState initial;
    if (op.flag("initial_state")) {
      initial.h = x[others];
      if (states > 1) initial.c = x[others + 1];
    }
    const RecurrentOutput result =
        others > 3 ? with_bias(x[0], initial, x[1], x[2], x[3], options) : without(x[0], initial, x[1], x[2], options);
    if (!result.state.c) return result.y;
    const Index units = shape[-1];
    return concatenate({reshape(result.y, {shape[0], -1, units}), reshape(result.state.c, {shape[0], 1, units})}, 1);
  };
}

OpRows<OpCall>& calls() {
  static OpRows<OpCall> all(
      "register_stream_op",
      {{
          {"affine", [](const Trace::Op&, Operands x, const Shape&) { return affine(x[0], x[1], x[2]); }},
          {"matmul",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return matmul(x[0], x[1], {.transpose_a = op.flag("transpose_a"), .transpose_b = op.flag("transpose_b")});
           }},
          {"add", binary([](Var a, Var b) { return a + b; })},
          {"subtract", binary([](Var a, Var b) { return a - b; })},
          {"multiply", binary([](Var a, Var b) { return a * b; })},
          {"divide", binary([](Var a, Var b) { return a / b; })},
          {"pow", binary([](Var a, Var b) { return pow(a, b); })},
          {"maximum", binary([](Var a, Var b) { return maximum(a, b); })},
          {"minimum", binary([](Var a, Var b) { return minimum(a, b); })},
          {"mod", binary([](Var a, Var b) { return mod(a, b); })},
          {"equal", binary([](Var a, Var b) { return equal(a, b); })},
          {"not_equal", binary([](Var a, Var b) { return not_equal(a, b); })},
          {"greater", binary([](Var a, Var b) { return ops::greater(a, b); })},
          {"greater_equal", binary([](Var a, Var b) { return ops::greater_equal(a, b); })},
          {"less", binary([](Var a, Var b) { return ops::less(a, b); })},
          {"less_equal", binary([](Var a, Var b) { return ops::less_equal(a, b); })},
          {"logical_and", binary([](Var a, Var b) { return ops::logical_and(a, b); })},
          {"logical_or", binary([](Var a, Var b) { return ops::logical_or(a, b); })},
          {"logical_xor", binary([](Var a, Var b) { return ops::logical_xor(a, b); })},
          {"where", [](const Trace::Op&, Operands x, const Shape&) { return where(x[0], x[1], x[2]); }},
          {"negate", [](const Trace::Op&, Operands x, const Shape&) { return -x[0]; }},
          {"exp", unary(exp)},
          {"log", unary(log)},
          {"sqrt", unary(sqrt)},
          {"square", unary(square)},
          {"abs", unary(abs)},
          {"relu", unary(relu)},
          {"sigmoid", unary(sigmoid)},
          {"tanh", unary(tanh)},
          {"swish", unary(swish)},
          {"softplus", unary(softplus)},
          {"hard_sigmoid", unary(hard_sigmoid)},
          {"hard_silu", unary(hard_silu)},
          {"softsign", unary(softsign)},
          {"mish", unary(mish)},
          {"sin", unary(sin)},
          {"cos", unary(cos)},
          {"erf", unary(erf)},
          {"log1p", unary(log1p)},
          {"expm1", unary(expm1)},
          {"sign", unary(sign)},
          {"floor", unary(floor)},
          {"ceil", unary(ceil)},
          {"round", unary(round)},
          {"clip",
           [](const Trace::Op& op, Operands x, const Shape&) { return clip(x[0], op.real("min"), op.real("max")); }},
          {"leaky_relu",
           [](const Trace::Op& op, Operands x, const Shape&) { return leaky_relu(x[0], op.real("negative_slope")); }},
          {"elu", [](const Trace::Op& op, Operands x, const Shape&) { return elu(x[0], op.real("alpha")); }},
          {"gelu", [](const Trace::Op& op, Operands x,
                      const Shape&) { return gelu(x[0], GeluOptions{.approximate = op.flag("approximate")}); }},
          {"sum", reduction(sum, sum)},
          {"mean", reduction(mean, mean)},
          {"max", reduction(max, max)},
          {"min", reduction(min, min)},
          {"prod", reduction(prod, prod)},
          {"logsumexp", reduction(logsumexp, logsumexp)},
          {"cumsum",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return cumsum(x[0], op.integer("axis"),
                           {.exclusive = op.flag("exclusive"), .reverse = op.flag("reverse")});
           }},
          {"softmax", [](const Trace::Op& op, Operands x, const Shape&) { return softmax(x[0], op.integer("axis")); }},
          {"log_softmax",
           [](const Trace::Op& op, Operands x, const Shape&) { return log_softmax(x[0], op.integer("axis")); }},
          {"batch_normalization",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return batch_normalization(x[0], x[1], x[2], x[3], x[4], op.real("epsilon"));
           }},
          {"layer_normalization",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return layer_normalization(x[0], x[1], x[2], {.axes = op.integer("axes"), .epsilon = op.real("epsilon")});
           }},
          {"reshape", [](const Trace::Op&, Operands x, const Shape& shape) { return reshape(x[0], shape); }},
          {"transpose",
           [](const Trace::Op& op, Operands x, const Shape&) { return transpose(x[0], op.integers("axes")); }},
          {"concatenate",
           [](const Trace::Op& op, Operands x, const Shape&) { return concatenate(x, op.integer("axis")); }},
          {"slice_axis",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return slice_axis(x[0], op.integer("axis"), op.integer("begin"), op.integer("end"));
           }},
          {"flip", [](const Trace::Op& op, Operands x, const Shape&) { return flip(x[0], op.integer("axis")); }},
          {"take", [](const Trace::Op&, Operands x, const Shape&) { return take(x[0], x[1]); }},
          {"repeat",
           [](const Trace::Op&, Operands x, const Shape& shape) { return x[0] + x[0].tape().constant(Tensor(shape)); }},
          {"take_axis",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return take_axis(x[0], op.integer("axis"), op.integers("positions"), static_cast<Real>(op.real("fill")));
           }},
          {"take_along_axis",
           [](const Trace::Op& op, Operands x, const Shape& shape) {
             return take_along_axis(as_many_rows(op, x[0], shape), as_many_rows(op, x[1], shape), op.integer("axis"));
           }},
          {"scatter_add",
           [](const Trace::Op& op, Operands x, const Shape& shape) {
             return scatter_add(as_many_rows(op, x[0], shape), as_many_rows(op, x[1], shape), as_many_rows(op, x[2], shape),
                                op.integer("axis"));
           }},
          {"one_hot", [](const Trace::Op& op, Operands x, const Shape&) { return one_hot(x[0], op.integer("n")); }},
          {"top_k_indices",
           [](const Trace::Op& op, Operands x, const Shape&) { return top_k_indices(x[0], op.integer("k")); }},
          {"resample",
           [](const Trace::Op& op, Operands x, const Shape&) {
             return resample(x[0], x[1], op.integer("axis"), op.integers("positions"));
           }},
          {"conv2d_transpose", convolved_transposed},
          {"conv2d", convolved},
          {"depthwise_conv2d", convolved_depthwise},
          {"max_pool2d", pooled(max_pool2d)},
          {"average_pool2d", pooled(average_pool2d)},
          {"lstm", recurrent(lstm, lstm)},
          {"gru", recurrent(gru, gru)},
          {"lstm_with_state", recurrent_with_state(lstm, lstm, 2)},
          {"gru_with_state", recurrent_with_state(gru, gru, 1)},
      }});
  return all;
}

}  // namespace

const OpCall* find_op_call(std::string_view op) { return calls().find(op); }
void add_op_call(std::string op, OpCall call) { calls().add(std::move(op), std::move(call)); }
bool is_users_op(std::string_view op) { return calls().is_added(op); }
std::vector<std::string> called_op_names() { return calls().names(); }

}  // namespace cornu::detail
