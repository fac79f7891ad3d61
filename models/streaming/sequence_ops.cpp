#include <algorithm>
#include <array>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/core/kernels/recurrent_steps.h"
#include "cornu/core/ops/loops.h"
#include "cornu/models/streaming/plan_builder.h"

/// Recurrent ops and attention in a stream.
namespace cornu::detail {

namespace {

/// An op that reads one value.
template <class Steps>
class Recurrent final : public StreamOp {
 public:
  Recurrent(StreamBuilder& to, const Steps& steps)
      : steps_(steps),
        x_(to.operand(0)),
        y_(to.result(x_.rate)),
        state_(to.state(steps.state_size())),
        scratch_(to.scratch(steps.scratch_size())) {}
  void run(const StreamFrame& frame) const override {
    steps_.run(x_.in(frame), frame.rows[x_.rate], frame.state + state_, frame.memory + scratch_, y_.out(frame));
  }

 private:
  Steps steps_;
  StreamValue x_, y_;
  Index state_, scratch_;
};

bool is_masked(const StreamBuilder& to) { return to.op().name.starts_with("stream_masked_"); }
bool has_bias(const StreamBuilder& to) { return to.operand_count() - (is_masked(to) ? 1 : 0) > 3; }

/// The same with a mask, the last operand: a step that it leaves out keeps the state, which begins with h.
template <class Steps>
class MaskedRecurrent final : public StreamOp {
 public:
  MaskedRecurrent(StreamBuilder& to, const Steps& steps)
      : steps_(steps),
        x_(to.operand(0)),
        mask_(to.operand(to.operand_count() - 1)),
        y_(to.result(x_.rate)),
        state_(to.state(steps.state_size())),
        scratch_(to.scratch(steps.scratch_size())) {}
  void run(const StreamFrame& frame) const override {
    Real* const state = frame.state + state_;
    for (Index row = 0; row < frame.rows[x_.rate]; ++row) {
      Real* const y = y_.out(frame) + row * y_.width;
      if (mask_.in(frame)[row] != 0) {
        steps_.run(x_.in(frame) + row * x_.width, 1, state, frame.memory + scratch_, y);
      } else {
        std::copy_n(state, y_.width, y);
      }
    }
  }

 private:
  Steps steps_;
  StreamValue x_, mask_, y_;
  Index state_, scratch_;
};

template <class Steps>
void add_recurrent(StreamBuilder& to, const Steps& steps) {
  if (is_masked(to)) {
    to.add(std::make_unique<MaskedRecurrent<Steps>>(to, steps));
  } else {
    to.add(std::make_unique<Recurrent<Steps>>(to, steps));
  }
}

/// Columns [first, first + count) of an operand, all rows or those of a bias.
const Real* part(StreamBuilder& to, ConstView numbers, Index first, Index count) {
  return to.keep(padded_part(numbers, first, count));
}

PointwiseLoop loop_of(StreamBuilder& to, const char* attribute, std::string_view usual) {
  const std::string& name = to.op().has(attribute) ? to.op().text(attribute) : std::string(usual);
  const PointwiseLoop loop = activation_loop(name);
  require<ValueError>(loop != nullptr, "the activation {} of a recurrent layer cannot stream", name);
  return loop;
}

/// True for tanh and sigmoid, which the loops of LSTM and GRU contain.
bool has_usual_activations(const StreamBuilder& to) {
  return !to.op().has("activation") ||
         (to.op().text("activation") == "tanh" && to.op().text("recurrent_activation") == "sigmoid");
}

/// Moves the gates i, f, g, o to i, f, o, g.
Tensor lstm_gates(ConstView numbers) {
  Tensor result(numbers);
  const Index columns = numbers.shape()[-1], units = columns / 4;
  for (Index first = 0; first < numbers.size(); first += columns) {
    for (Index j = 0; j < units; ++j) {
      result[first + 2 * units + j] = numbers[first + 3 * units + j];
      result[first + 3 * units + j] = numbers[first + 2 * units + j];
    }
  }
  return result;
}

void add_lstm(StreamBuilder& to) {
  LstmSteps steps;
  steps.inputs = to.shape(0)[2];
  steps.units = to.shape(2)[0];
  const bool usual = has_usual_activations(to);
  const auto whole = [&](std::size_t i) {
    return usual ? to.keep(packed_gates(to.numbers(i), LstmSteps::scales))
                 : part(to, lstm_gates(to.numbers(i)), 0, 4 * steps.units);
  };
  steps.kernel = whole(1);
  steps.recurrent_kernel = whole(2);
  if (has_bias(to)) steps.bias = whole(3);
  if (!usual) {
    steps.activation = loop_of(to, "activation", "tanh");
    steps.recurrent_activation = loop_of(to, "recurrent_activation", "sigmoid");
  }
  add_recurrent(to, steps);
}

void add_gru(StreamBuilder& to) {
  GruSteps steps;
  steps.inputs = to.shape(0)[2];
  const Index units = steps.units = to.shape(2)[0];
  steps.reset_after = to.op().name == "stream_gru" || to.op().flag("reset_after");
  ConstView of_input, of_state;  // biases: one, or one more for the products with the state
  if (has_bias(to)) {
    const ConstView bias = to.numbers(3);
    of_input = ConstView(bias.data(), {3 * units});
    if (bias.size() == 6 * units) of_state = ConstView(bias.data() + 3 * units, {3 * units});
  }
  const auto has = [](ConstView bias) { return bias.data() != nullptr; };
  if (has_usual_activations(to) && steps.reset_after) {
    const auto packed = [&](ConstView numbers) { return to.keep(packed_gates(numbers, GruSteps::scales)); };
    steps.kernel = packed(to.numbers(1));
    steps.recurrent_kernel = packed(to.numbers(2));
    if (has(of_input)) steps.bias = packed(of_input);
    if (has(of_state)) steps.recurrent_bias = packed(of_state);
    return add_recurrent(to, steps);
  }
  steps.gates_kernel = part(to, to.numbers(1), 0, 2 * units);
  steps.kernel = part(to, to.numbers(1), 2 * units, units);
  steps.gates_recurrent = part(to, to.numbers(2), 0, 2 * units);
  steps.recurrent_kernel = part(to, to.numbers(2), 2 * units, units);
  if (has(of_input)) {
    Tensor of_gates(of_input);
    if (has(of_state)) {
      for (Index j = 0; j < 2 * units; ++j) of_gates[j] += of_state[j];
      steps.recurrent_bias = part(to, of_state, 2 * units, units);
    }
    steps.gates_bias = part(to, of_gates, 0, 2 * units);
    steps.bias = part(to, of_input, 2 * units, units);
  }
  steps.activation = loop_of(to, "activation", "tanh");
  steps.recurrent_activation = loop_of(to, "recurrent_activation", "sigmoid");
  add_recurrent(to, steps);
}

void add_simple_rnn(StreamBuilder& to) {
  SimpleRnnSteps steps;
  steps.inputs = to.shape(0)[2];
  steps.units = to.shape(2)[0];
  steps.kernel = part(to, to.numbers(1), 0, steps.units);
  steps.recurrent_kernel = part(to, to.numbers(2), 0, steps.units);
  if (has_bias(to)) steps.bias = part(to, to.numbers(3), 0, steps.units);
  if (to.op().text("activation") != "tanh") steps.activation = loop_of(to, "activation", "tanh");
  add_recurrent(to, steps);
}

class Attention final : public StreamOp {
 public:
  explicit Attention(StreamBuilder& to) {
    steps_.heads = to.op().integer("num_heads");
    steps_.key_size = to.shape(0)[2] / steps_.heads;
    steps_.value_size = to.shape(2)[2] / steps_.heads;
    steps_.window = to.op().integer("window");
    for (std::size_t i = 0; i < 3; ++i) x_[i] = to.operand(i);
    if (to.operand_count() > 3) mask_ = to.operand(3);
    y_ = to.result(x_[0].rate);
    state_ = to.state(steps_.state_size());
    to.count(state_ + steps_.state_size() - 2, steps_.window);
    to.count(state_ + steps_.state_size() - 1, steps_.window - 1);
    scratch_ = to.scratch(steps_.scratch_size());
  }
  void run(const StreamFrame& frame) const override {
    const Index rows = frame.rows[x_[0].rate];
    if (!mask_) return run_rows(frame, 0, rows);
    for (Index row = 0; row < rows; ++row) {
      if (mask_->in(frame)[row] != 0) {
        run_rows(frame, row, 1);
      } else {  // its key is left out, and its result does not count
        std::fill_n(y_.out(frame) + row * y_.width, y_.width, Real{0});
      }
    }
  }

 private:
  void run_rows(const StreamFrame& frame, Index first, Index rows) const {
    const auto from = [&](std::size_t i) { return x_[i].in(frame) + first * x_[i].width; };
    steps_.run(from(0), from(1), from(2), rows, frame.state + state_, frame.memory + scratch_,
               y_.out(frame) + first * y_.width);
  }

  AttentionSteps steps_;
  std::array<StreamValue, 3> x_;
  std::optional<StreamValue> mask_;
  StreamValue y_;
  Index state_ = 0, scratch_ = 0;
};

constexpr std::array<std::pair<std::string_view, StreamRow>, 10> sequence_rows{{
    {"stream_lstm", add_lstm},
    {"stream_lstm_by_steps", add_lstm},
    {"stream_gru", add_gru},
    {"stream_gru_by_steps", add_gru},
    {"stream_simple_rnn", add_simple_rnn},
    {"stream_masked_lstm_by_steps", add_lstm},
    {"stream_masked_gru_by_steps", add_gru},
    {"stream_masked_simple_rnn", add_simple_rnn},
    {"stream_attend", [](StreamBuilder& to) { to.add(std::make_unique<Attention>(to)); }},
    {"stream_masked_attend", [](StreamBuilder& to) { to.add(std::make_unique<Attention>(to)); }},
}};

}  // namespace

StreamRows stream_sequence_rows() { return sequence_rows; }

}  // namespace cornu::detail
