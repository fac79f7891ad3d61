#include <algorithm>
#include <array>

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
  if (to.operand_count() > 3) steps.bias = whole(3);
  if (!usual) {
    steps.activation = loop_of(to, "activation", "tanh");
    steps.recurrent_activation = loop_of(to, "recurrent_activation", "sigmoid");
  }
  to.add(std::make_unique<Recurrent<LstmSteps>>(to, steps));
}

void add_gru(StreamBuilder& to) {
  GruSteps steps;
  steps.inputs = to.shape(0)[2];
  const Index units = steps.units = to.shape(2)[0];
  steps.reset_after = to.op().name == "stream_gru" || to.op().flag("reset_after");
  ConstView of_input, of_state;  // biases: one, or one more for the products with the state
  if (to.operand_count() > 3) {
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
    return to.add(std::make_unique<Recurrent<GruSteps>>(to, steps));
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
  to.add(std::make_unique<Recurrent<GruSteps>>(to, steps));
}

void add_simple_rnn(StreamBuilder& to) {
  SimpleRnnSteps steps;
  steps.inputs = to.shape(0)[2];
  steps.units = to.shape(2)[0];
  steps.kernel = part(to, to.numbers(1), 0, steps.units);
  steps.recurrent_kernel = part(to, to.numbers(2), 0, steps.units);
  if (to.operand_count() > 3) steps.bias = part(to, to.numbers(3), 0, steps.units);
  if (to.op().text("activation") != "tanh") steps.activation = loop_of(to, "activation", "tanh");
  to.add(std::make_unique<Recurrent<SimpleRnnSteps>>(to, steps));
}

class Attention final : public StreamOp {
 public:
  explicit Attention(StreamBuilder& to) {
    steps_.heads = to.op().integer("num_heads");
    steps_.key_size = to.shape(0)[2] / steps_.heads;
    steps_.value_size = to.shape(2)[2] / steps_.heads;
    steps_.window = to.op().integer("window");
    for (std::size_t i = 0; i < 3; ++i) x_[i] = to.operand(i);
    y_ = to.result(x_[0].rate);
    state_ = to.state(steps_.state_size());
    to.count(state_ + steps_.state_size() - 2, steps_.window);
    to.count(state_ + steps_.state_size() - 1, steps_.window - 1);
    scratch_ = to.scratch(steps_.scratch_size());
  }
  void run(const StreamFrame& frame) const override {
    steps_.run(x_[0].in(frame), x_[1].in(frame), x_[2].in(frame), frame.rows[x_[0].rate], frame.state + state_,
               frame.memory + scratch_, y_.out(frame));
  }

 private:
  AttentionSteps steps_;
  std::array<StreamValue, 3> x_;
  StreamValue y_;
  Index state_ = 0, scratch_ = 0;
};

constexpr std::array<std::pair<std::string_view, StreamRow>, 6> sequence_rows{{
    {"stream_lstm", add_lstm},
    {"stream_lstm_by_steps", add_lstm},
    {"stream_gru", add_gru},
    {"stream_gru_by_steps", add_gru},
    {"stream_simple_rnn", add_simple_rnn},
    {"stream_attend", [](StreamBuilder& to) { to.add(std::make_unique<Attention>(to)); }},
}};

}  // namespace

StreamRows stream_sequence_rows() { return sequence_rows; }

}  // namespace cornu::detail
