#include "cornu/tests/models/streaming/op_uses.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "cornu/core/ops/resample.h"

namespace cornu::testing {

namespace {

struct WindowUse {
  Size2D taps, strides, dilation;
  Padding padding;

  /// True for windows that a stream can compute: over time alone and not ahead, or within each step.
  bool streams(const Place& at) const {
    if (at.is_each()) return true;
    if (at.time == 3) return false;
    const bool first = at.time == 1;
    const Index over_time = first ? taps.height : taps.width, elsewhere = first ? taps.width : taps.height,
                stride = first ? strides.height : strides.width, rate = first ? dilation.height : dilation.width;
    if (over_time == 1 && stride == 1) return true;
    if (at.shape[3 - at.time] != 1 || elsewhere != 1) return false;
    const Index windows = (stream_steps + stride - 1) / stride, reach = (over_time - 1) * rate + 1;
    return padding != Padding::same || (windows - 1) * stride + reach <= stream_steps;  // else it is padded at the end
  }
  bool takes(const Place& at) const {
    return at.rank() == 4 && (padding != Padding::valid || ((taps.height - 1) * dilation.height < at.shape[1] &&
                                                            (taps.width - 1) * dilation.width < at.shape[2]));
  }
};

/// f(x, windows) for an op on images.
template <class F>
OpUses window_uses(bool dilates, F f) {
  OpUses uses;
  for (const Size2D taps : {Size2D(1, 1), Size2D(1, 2), Size2D(2, 1), Size2D(2, 2)}) {
    for (const Size2D strides : {Size2D(1, 1), Size2D(1, 2), Size2D(2, 1)}) {
      for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
        for (const Index dilation : {1, 2}) {
          if (dilation > 1 && (!dilates || strides.height + strides.width > 2)) continue;
          const WindowUse use{taps, strides, dilation, padding};
          uses.push_back(
              {.name = message("{} taps, strides {}, dilation {}, padding {}", to_string(taps), to_string(strides),
                               dilation, option_names(padding)[static_cast<std::size_t>(padding)]),
               .formula = [=](Var v, Index) { return f(v, use); },
               .takes = [=](const Place& at) { return use.takes(at); },
               .streams = [=](const Place& at) { return use.streams(at); },
               .stride =
                   [=](const Place& at) { return at.time == 1   ? strides.height
                                                 : at.time == 2 ? strides.width
                                                                : 1; }});
        }
      }
    }
  }
  return uses;
}

OpUses conv2d_uses() {
  OpUses uses = window_uses(true, [](Var v, const WindowUse& use) {
    const Var kernel = fixed(v, {use.taps.height, use.taps.width, v.shape()[3], 4});
    return conv2d(v, kernel, fixed(v, {4}),
                  {.strides = use.strides, .padding = use.padding, .dilation_rate = use.dilation});
  });
  for (OpUse& use : window_uses(false, [](Var v, const WindowUse&of) {
         const Var kernel = fixed(v, {of.taps.height, of.taps.width, v.shape()[3] / 2, 4});
         return conv2d(v - 0.8, kernel, {.strides = of.strides, .padding = of.padding, .groups = 2, .relu = true});
       })) {
    use.name += ", groups";
    use.takes = [takes = use.takes](const Place& at) { return takes(at) && at.shape[3] % 2 == 0; };
    uses.push_back(std::move(use));
  }
  return uses;
}

OpUses depthwise_uses() {
  return window_uses(true, [](Var v, const WindowUse& use) {
    return depthwise_conv2d(v, fixed(v, {use.taps.height, use.taps.width, v.shape()[3], 2}),
                            {.strides = use.strides, .padding = use.padding, .dilation_rate = use.dilation});
  });
}

OpUses conv2d_transpose_uses() {
  OpUses uses;
  for (const Size2D taps : {Size2D(1, 1), Size2D(1, 2), Size2D(2, 1)}) {
    for (const Size2D strides : {Size2D(1, 1), Size2D(1, 2), Size2D(2, 1)}) {
      for (const Padding padding : {Padding::valid, Padding::same}) {
        uses.push_back({.name = message("{} taps, strides {}, padding {}", to_string(taps), to_string(strides),
                                        option_names(padding)[static_cast<std::size_t>(padding)]),
                        .formula =
                            [=](Var v, Index) {
                              return conv2d_transpose(v, fixed(v, {taps.height, taps.width, 3, v.shape()[3]}),
                                                      {.strides = strides, .padding = padding});
                            },
                        .takes = [](const Place& at) { return at.rank() == 4; },
                        .streams =
                            [=](const Place& at) {
                              return at.is_each() || (at.time == 1 && taps.height == 1 && strides.height == 1) ||
                                     (at.time == 2 && taps.width == 1 && strides.width == 1);
                            }});
      }
    }
  }
  return uses;
}

OpUses take_axis_uses() {
  OpUses uses = along_axes([](Var v, Index axis) { return take(v, {-1, 0, 0}, axis); });
  for (OpUse& use : along_axes([](Var v, Index axis) {
         std::vector<PadWidths> widths(static_cast<std::size_t>(v.rank()));
         widths[static_cast<std::size_t>(axis)] = {2, 1};
         return pad(v, widths, {.value = 0.5});
       })) {
    use.name += ", padded";
    uses.push_back(std::move(use));
  }
  return uses;
}

/// f(x, indices, axis) with indices that are computed, and that are constant.
template <class F>
OpUses picking_uses(F f) {
  OpUses uses = along_axes([=](Var v, Index axis) { return f(v, v - v, axis); });
  for (OpUse& use : along_axes([=](Var v, Index axis) { return f(v, v.tape().constant(Tensor(v.shape())), axis); })) {
    use.name += ", constant indices";
    use.takes = [has = use.takes](const Place& at) { return has(at) && at.time != 0; };
    use.streams = [streams = use.streams](const Place& at) { return streams(at) && is_on_time(at); };
    uses.push_back(std::move(use));
  }
  return uses;
}

OpUses pool_uses(Var (*f)(Var, Size2D, const Pool2DOptions&)) {
  return window_uses(false, [=](Var v, const WindowUse& use) {
    return f(v, use.taps, {.strides = use.strides, .padding = use.padding});
  });
}

/// A kernel and a recurrent kernel for three units.
std::array<Var, 2> recurrent_kernels(Var v, Index gates) {
  return {fixed(v, {v.shape()[2], gates * 3}) - 0.7, fixed(v, {3, gates * 3}) - 0.7};
}

Var of_lstm(Var v, const RecurrentOptions& options) {
  const auto [kernel, recurrent] = recurrent_kernels(v, 4);
  return lstm(v, kernel, recurrent, fixed(v, {12}), options);
}
Var of_gru(Var v, const RecurrentOptions& options) {
  const auto [kernel, recurrent] = recurrent_kernels(v, 3);
  return gru(v, kernel, recurrent, options);
}
Var of_lstm_with_state(Var v, const RecurrentOptions& options) {
  const auto [kernel, recurrent] = recurrent_kernels(v, 4);
  return lstm(v, {}, kernel, recurrent, fixed(v, {12}), options).y;
}
Var of_gru_with_state(Var v, const RecurrentOptions& options) {
  const auto [kernel, recurrent] = recurrent_kernels(v, 3);
  return gru(v, RecurrentState{}, kernel, recurrent, options).y;
}
Var of_gru_from_state(Var v, const RecurrentOptions& options) {
  const auto [kernel, recurrent] = recurrent_kernels(v, 3);
  const Var state = v.tape().constant(Tensor::full({v.shape()[0], 3}, Real(0.4)));
  return gru(v, RecurrentState{state}, kernel, recurrent, options).y;
}

OpUses gru_with_state_uses() {
  OpUses uses = recurrences(false, of_gru_with_state);
  for (OpUse& use : recurrences(false, of_gru_from_state)) {
    use.name += ", from a state";
    use.takes = [](const Place& at) { return at.rank() == 3 && at.time != 0; };
    uses.push_back(std::move(use));
  }
  return uses;
}

/// Each operand in turn as the one that differs: the condition, and both values.
OpUses where_uses() {
  OpUses uses = two_values([](Var a, Var b) { return where(ops::greater(a, 0.8), a, b); });
  for (OpUse& use : two_values([](Var a, Var b) { return where(relu(b - 0.8), a, -1); })) {
    use.name += ", as the condition";
    uses.push_back(std::move(use));
  }
  return uses;
}

std::map<std::string, OpUses> all_uses() {
  return {
      {"negate", each_value([](Var v) { return -v; })},
      {"exp", each_value(exp)},
      {"log", each_value(log)},
      {"sqrt", each_value(sqrt)},
      {"square", each_value(square)},
      {"abs", each_value([](Var v) { return abs(v - 0.8); })},
      {"relu", each_value([](Var v) { return relu(v - 0.8); })},
      {"sigmoid", each_value(sigmoid)},
      {"tanh", each_value(tanh)},
      {"swish", each_value(swish)},
      {"softplus", each_value(softplus)},
      {"leaky_relu", each_value([](Var v) { return leaky_relu(v - 0.8, 0.1); })},
      {"elu", each_value([](Var v) { return elu(v - 0.8, 1.5); })},
      {"hard_sigmoid", each_value([](Var v) { return hard_sigmoid(4 * v - 3); })},
      {"hard_silu", each_value([](Var v) { return hard_silu(4 * v - 3); })},
      {"softsign", each_value([](Var v) { return softsign(v - 0.8); })},
      {"mish", each_value([](Var v) { return mish(v - 0.8); })},
      {"sin", each_value(sin)},
      {"cos", each_value(cos)},
      {"erf", each_value([](Var v) { return erf(v - 0.8); })},
      {"log1p", each_value(log1p)},
      {"expm1", each_value(expm1)},
      {"sign", each_value([](Var v) { return v * sign(v - 0.8); })},
      {"floor", each_value([](Var v) { return v * floor(v); })},
      {"ceil", each_value([](Var v) { return v * ceil(v); })},
      {"round", each_value([](Var v) { return v * round(v); })},
      {"clip", each_value([](Var v) { return clip(v, 0.5, 1); })},
      {"gelu", each_value([](Var v) { return gelu(v - 0.8) + gelu(v - 0.7, {.approximate = true}); })},
      {"add", two_values([](Var a, Var b) { return a + b; })},
      {"subtract", two_values([](Var a, Var b) { return a - b; })},
      {"multiply", two_values([](Var a, Var b) { return a * b; })},
      {"divide", two_values([](Var a, Var b) { return a / b; })},
      {"pow", two_values([](Var a, Var b) { return pow(a, b); })},
      {"maximum", two_values([](Var a, Var b) { return maximum(a, b); })},
      {"minimum", two_values([](Var a, Var b) { return minimum(a, b); })},
      {"mod", two_values([](Var a, Var b) { return mod(a, b + 0.01); })},
      {"equal", two_values([](Var a, Var b) { return a + equal(relu(a - 0.8), relu(b - 0.8)); })},
      {"not_equal", two_values([](Var a, Var b) { return a + not_equal(relu(a - 0.8), relu(b - 0.8)); })},
      {"greater", two_values([](Var a, Var b) { return a + ops::greater(a, b); })},
      {"greater_equal", two_values([](Var a, Var b) { return a + ops::greater_equal(a, b); })},
      {"less", two_values([](Var a, Var b) { return a + ops::less(a, b); })},
      {"less_equal", two_values([](Var a, Var b) { return a + ops::less_equal(a, b); })},
      {"logical_and", two_values([](Var a, Var b) { return a + ops::logical_and(relu(a - 0.8), relu(b - 0.7)); })},
      {"logical_or", two_values([](Var a, Var b) { return a + ops::logical_or(relu(a - 0.8), relu(b - 0.7)); })},
      {"logical_xor", two_values([](Var a, Var b) { return a + ops::logical_xor(relu(a - 0.8), relu(b - 0.7)); })},
      {"where", where_uses()},
      {"sum", reductions([](Var v, Index axis, const ReduceOptions& options) { return sum(v, axis, options); })},
      {"mean", reductions([](Var v, Index axis, const ReduceOptions& options) { return mean(v, axis, options); })},
      {"max", reductions([](Var v, Index axis, const ReduceOptions& options) { return (max)(v, axis, options); })},
      {"min", reductions([](Var v, Index axis, const ReduceOptions& options) { return (min)(v, axis, options); })},
      {"prod", reductions([](Var v, Index axis, const ReduceOptions& options) { return prod(v, axis, options); })},
      {"logsumexp",
       reductions([](Var v, Index axis, const ReduceOptions& options) { return logsumexp(v, axis, options); })},
      {"cumsum", along_axes([](Var v, Index axis) { return cumsum(v, axis, {.exclusive = axis == 2}); })},
      {"softmax", along_axes([](Var v, Index axis) { return softmax(v, axis); })},
      {"log_softmax", along_axes([](Var v, Index axis) { return log_softmax(v, axis); })},
      {"flip", along_axes([](Var v, Index axis) { return flip(v, axis); })},
      {"batch_normalization",
       {{.name = "features",
         .formula =
             [](Var v, Index) {
               const Var each = fixed(v, {v.shape()[-1]});
               return batch_normalization(v, each, each, each, each);
             },
         .streams = keeps_last}}},
      {"layer_normalization", layer_normalization_uses()},
      {"affine", affine_uses()},
      {"matmul", matmul_uses()},
      {"reshape", reshape_uses()},
      {"transpose", transpose_uses()},
      {"concatenate", concatenate_uses()},
      {"slice_axis", slice_uses()},
      {"take", take_uses()},
      {"repeat", repeat_uses()},
      {"take_axis", take_axis_uses()},
      {"resample", along_axes([](Var v, Index axis) {
         return detail::resize_axis(v, axis, v.shape()[axis] + 2, {.interpolation = Interpolation::bicubic});
       })},
      {"take_along_axis", picking_uses([](Var v, Var zeros, Index axis) { return take_along_axis(v, zeros, axis); })},
      {"scatter_add", picking_uses([](Var v, Var zeros, Index axis) { return scatter_add(v, zeros, v, axis); })},
      {"one_hot",
       {{.name = "any value", .formula = [](Var v, Index) { return one_hot(v, 5); }, .whole_numbers = true}}},
      {"top_k_indices",
       {{.name = "half of the features",
         .formula = [](Var v, Index) { return detail::top_k_indices(v, (v.shape()[-1] + 1) / 2); },
         .streams = keeps_last}}},
      {"conv2d_transpose", conv2d_transpose_uses()},
      {"conv2d", conv2d_uses()},
      {"depthwise_conv2d", depthwise_uses()},
      {"max_pool2d", pool_uses(max_pool2d)},
      {"average_pool2d", pool_uses(average_pool2d)},
      {"lstm", recurrences(true, of_lstm)},
      {"gru", recurrences(true, of_gru)},
      {"lstm_with_state", recurrences(false, of_lstm_with_state)},
      {"gru_with_state", gru_with_state_uses()},
  };
}

}  // namespace

OpUses op_uses(const std::string& op) {
  const std::map<std::string, OpUses> all = all_uses();
  const auto found = all.find(op);
  return found == all.end() ? OpUses{} : found->second;
}

}  // namespace cornu::testing
