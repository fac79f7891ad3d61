#include <fmt/format.h>

#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/models/export_cpp/rows.h"

/// How ops that remember earlier steps are written.
namespace cornu::detail {

namespace {

std::vector<float> zeros(Index count) { return std::vector<float>(static_cast<std::size_t>(count)); }

// ---- Recurrent ops and attention ----

/// x w + bias for one step.
CppValue product_of_step(CppOpWriter& to, Index outputs, const CppArgument& bias) {
  const CppValue y = to.make({outputs});
  to.call("dense_step", fmt::format("{}, {}", to.shape(0)[2], outputs), {to.operand(0), to.weights(1, outputs), bias},
          y);
  return y;
}

/// An activation of a recurrent op, as an argument.
std::string step_activation(const std::string& name) {
  std::string text = name == "tanh"      ? "[](float v) { return detail::tanh_of(v); }"
                     : name == "sigmoid" ? "[](float v) { return detail::gate_of(v); }"
                                         : activation_text(name);
  require<ValueError>(!text.empty(), "the activation {} of a recurrent layer cannot stream", name);
  return text;
}

std::string step_activations(CppOpWriter& to) {
  const auto text = [&](const char* attribute, const char* usual) {
    return step_activation(to.op().has(attribute) ? to.op().text(attribute) : usual);
  };
  return text("activation", "tanh") + ", " + text("recurrent_activation", "sigmoid");
}

bool is_masked(const CppOpWriter& to) { return to.op().name.starts_with("stream_masked_"); }
bool has_bias(const CppOpWriter& to) { return to.operand_count() - (is_masked(to) ? 1 : 0) > 3; }
CppArgument bias_of_step(CppOpWriter& to) { return has_bias(to) ? to.operand(3) : "nullptr"; }

/// write(state): the calls of a recurrent op, whose state begins with h, (units). If the op has a mask, its last
/// operand, a step that the mask leaves out is undone.
template <class F>
CppValue with_state(CppOpWriter& to, Index size, Index units, F write) {
  const CppArgument state = to.state(zeros(size));
  if (!is_masked(to)) return write(state);
  const CppValue before = to.make({size});
  to.call("save_state", std::to_string(size), {state}, before);
  const CppValue y = write(state);
  to.call("keep_state", fmt::format("{}, {}", size, units), {to.operand(to.operand_count() - 1), before, state}, y);
  return y;
}

CppValue write_streamed_lstm(CppOpWriter& to) {
  const Index units = to.shape(2)[0];
  const CppValue inputs = product_of_step(to, 4 * units, bias_of_step(to)), memory = to.make({4 * units});
  return with_state(to, 2 * units, units, [&](const CppArgument& state) {
    return to.call("lstm_step", std::to_string(units),
                   {inputs, memory, to.weights(2, 4 * units), step_activations(to), state});
  });
}

/// The gates and the candidate have products of their own, each with part of the kernel and of the bias.
CppValue write_streamed_gru(CppOpWriter& to) {
  const GruParts parts(to, has_bias(to));
  const Index units = parts.units;
  const CppValue inputs = product_of_step(to, 3 * units, parts.input_bias), memory = to.make({4 * units});
  return with_state(to, units, units, [&](const CppArgument& state) {
    return to.call("gru_step", fmt::format("{}, {}", units, parts.reset_after),
                   {inputs, memory, parts.gates_kernel, parts.gates_bias, parts.candidate_kernel, parts.candidate_bias,
                    step_activations(to), state});
  });
}

CppValue write_streamed_simple_rnn(CppOpWriter& to) {
  const Index units = to.shape(2)[0];
  const CppValue inputs = product_of_step(to, units, bias_of_step(to)), memory = to.make({units});
  const std::string activation = step_activation(to.op().text("activation"));
  return with_state(to, units, units, [&](const CppArgument& state) {
    return to.call("simple_rnn_step", std::to_string(units), {inputs, memory, to.weights(2, units), activation, state});
  });
}

CppValue write_streamed_attention(CppOpWriter& to) {
  const Index heads = to.op().integer("num_heads"), window = to.op().integer("window"), d = to.shape(0)[2] / heads,
              width = to.shape(2)[2] / heads;
  const CppValue scores = to.make({window});
  return to.call(
      "attend_step", fmt::format("{}, {}, {}, {}", window, heads, d, width),
      {to.operand(0), to.operand(1), to.operand(2), scores, to.state(zeros(window * heads * (d + width) + 2))});
}

/// A Dense layer; with several rows in a step as without a stream.
CppValue write_streamed_affine(CppOpWriter& to) {
  const Shape x = to.shape(0), w = to.shape(1);
  if (x.size() != w[0]) return (*cpp_row_of("affine"))(to);
  return to.call("dense_step", fmt::format("{}, {}", w[0], w[1]), {to.operand(0), to.weights(1, w[1]), to.operand(2)});
}

// ---- Windows over time ----

struct Windows {
  Index taps, dilation, stride;
  bool waits;

  Index reach() const { return (taps - 1) * dilation + 1; }
  std::string templates() const { return fmt::format("{}, {}, {}, {}", taps, dilation, stride, waits); }
  /// The rows, the place of the next, the rows to wait, and the rows so far.
  std::vector<float> state(CppOpWriter& to, Index width, float initial) const {
    std::vector<float> result(static_cast<std::size_t>(reach() * width), initial);
    const Index before = to.op().integers("pads")[static_cast<std::size_t>(to.op().integer("axis"))];
    result.insert(result.end(), {0, static_cast<float>(reach() - 1 - before), 0});
    return result;
  }

  Windows(const CppOpWriter& to, Index tap_count, Index dilation_rate)
      : taps(tap_count),
        dilation(dilation_rate),
        stride(to.op().integers("strides")[static_cast<std::size_t>(to.op().integer("axis"))]),
        waits(to.op().has("waits")) {}
};

CppValue write_convolution(CppOpWriter& to) {
  const Shape x = to.shape(0), kernel = to.shape(1);
  const auto axis = static_cast<std::size_t>(to.op().integer("axis"));
  const bool is_depthwise = to.op().name == "stream_depthwise_conv2d";
  const Windows windows(to, kernel[static_cast<Index>(axis)], to.op().integers("dilations")[axis]);
  const Index in = x[3], out = is_depthwise ? kernel[2] * kernel[3] : kernel[3],
              groups = is_depthwise ? in : to.op().integer("groups");
  const CppValue y = to.call("convolve_step", fmt::format("{}, {}, {}, {}", in, out, groups, windows.templates()),
                             {to.operand(0), to.state(windows.state(to, in, 0)), to.weights(1, out),
                              to.operand_count() > 2 ? to.operand(2) : "nullptr",
                              !is_depthwise && to.op().flag("relu") ? "[](float v) { return v < 0.0f ? 0.0f : v; }"
                                                                    : "[](float v) { return v; }"});
  return y;
}

CppRow pooling(bool maximum) {
  return [maximum](CppOpWriter& to) {
    const Index channels = to.shape(0)[3];
    const Windows windows(to, to.op().integers("size")[static_cast<std::size_t>(to.op().integer("axis"))], 1);
    return to.call("pool_step", fmt::format("{}, {}, {}", channels, maximum, windows.templates()),
                   {to.operand(0), to.state(windows.state(to, channels, maximum ? -INFINITY : 0.0f))});
  };
}

// ---- Rows of a parameter ----

CppValue write_rows(CppOpWriter& to) {
  const Index axis = to.op().integer("axis");
  const Tensor numbers(to.numbers(0));
  const Index rows = numbers.shape()[axis], width = numbers.size() / rows;
  std::vector<Index> axes{axis};  // the rows first
  for (Index i = 0; i < numbers.shape().rank(); ++i) {
    if (i != axis) axes.push_back(i);
  }
  return to.call("next_row", fmt::format("{}, {}", rows, width),
                 {to.array(0, "rows", transpose(numbers, axes)), to.state(zeros(1))});
}

CppRow each_of(const char* function) {
  return [function](CppOpWriter& to) {
    const CppValue y = to.make(to.result_shape());
    to.call(function, std::to_string(y.shape.size()), {to.operand(0)}, y);
    return y;
  };
}

}  // namespace

CppRows cpp_stream_rows() {
  return {{"stream_lstm", write_streamed_lstm},
          {"stream_lstm_by_steps", write_streamed_lstm},
          {"stream_gru", write_streamed_gru},
          {"stream_gru_by_steps", write_streamed_gru},
          {"stream_simple_rnn", write_streamed_simple_rnn},
          {"stream_masked_lstm_by_steps", write_streamed_lstm},
          {"stream_masked_gru_by_steps", write_streamed_gru},
          {"stream_masked_simple_rnn", write_streamed_simple_rnn},
          {"stream_attend", write_streamed_attention},
          {"stream_conv2d", write_convolution},
          {"stream_depthwise_conv2d", write_convolution},
          {"stream_max_pool2d", pooling(true)},
          {"stream_average_pool2d", pooling(false)},
          {"stream_rows", write_rows},
          {"stream_affine", write_streamed_affine},
          {"stream_tanh", each_of("each_tanh")},
          {"stream_sigmoid", each_of("each_sigmoid")}};
}

}  // namespace cornu::detail
