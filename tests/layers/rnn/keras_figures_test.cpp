// Compares the recurrent layers with the expected values of Keras's own tests (keras-team/keras, keras/src/layers/rnn,
// Keras 3). Keras computes in float, so the last of their seven digits may differ by one or two.

#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "cornu/layers/dense.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/time_distributed.h"
#include "cornu/tests/layers/rnn/reference.h"
#include "cornu/tests/layers/run.h"

namespace cornu {
namespace {

using testing::arange;
using testing::built;
using testing::expect_near;
using testing::run;

constexpr double keras_tolerance = 1e-6;

/// A layer with the constant weights of Keras's tests; build sets an LSTM's forget bias to 1.
template <class L>
L constant_weights(L layer, double kernel = 0.01, double bias = 0.03) {
  layer.kernel_initializer = constant(kernel);
  layer.recurrent_initializer = constant(0.02);
  layer.bias_initializer = constant(bias);
  return layer;
}

template <class L>
L with_constants(const L& layer, Index steps, Index features) {
  return built(constant_weights(layer), {steps, features});
}

Tensor figures(const Shape& shape, const std::vector<double>& values) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<Real>(values.at(static_cast<std::size_t>(i)));
  return result;
}

/// With equal weights for all units, the units agree: one value for each row of a matrix `units` wide.
Tensor equal_units(const std::vector<double>& rows, Index units) {
  Tensor result({static_cast<Index>(rows.size()), units});
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<Real>(rows[static_cast<std::size_t>(i / units)]);
  }
  return result;
}

/// The last outputs for arange(batch * steps * features), by core's fused ops and by smaller ones.
template <class L>
void expect_last(const L& layer, const Shape& input, const std::vector<double>& expected) {
  L fused = with_constants(layer, input[1], input[2]), small = fused;
  small.activation = [](Var x) { return tanh(x); };
  for (const L& each : {fused, small}) {
    expect_near(run(each, arange(input)), equal_units(expected, layer.units), keras_tolerance);
  }
}

/// The output after the sequence, and after the same sequence once more from the last state.
template <class L>
void expect_after_two_passes(const L& layer, const Shape& input, const std::vector<double>& expected) {
  const L made = with_constants(layer, input[1], input[2]);
  const Tensor x = arange(input);
  Tape tape(Mode::inference);
  const RecurrentOutput first = made.forward(tape.input(x), {}), second = made.forward(tape.input(x), first.state);
  expect_near(Tensor(second.y.value()), equal_units(expected, layer.units), keras_tolerance);
}

/// From an initial state of arange(batch * units), which is also that of c in an LSTM.
template <class L>
void expect_from_state(const L& layer, const Tensor& expected) {
  const L made = with_constants(layer, 4, 3);
  const Tensor x = arange({2, 4, 3}), initial = arange({2, layer.units});
  Tape tape(Mode::inference);
  const Var h = tape.input(initial);
  RecurrentState state{h};
  if constexpr (std::is_same_v<L, LSTM>) state.c = h;
  const RecurrentOutput output = made.forward(tape.input(x), state);
  expect_near(Tensor(output.y.value()), expected, keras_tolerance);
  EXPECT_EQ(Tensor(output.state.h.value()), Tensor(output.y.value()));
}

// lstm_test.py: test_correctness

TEST(KerasFigures, LSTMReturnsItsLastState) {
  const Shape input{3, 6, 4};
  expect_last(LSTM{.units = 3}, input, {0.6288687, 0.86899155, 0.9460773});
  expect_last(LSTM{.units = 3, .go_backwards = true}, input, {0.35622165, 0.74789524, 0.8872726});
  expect_last(LSTM{.units = 3, .unit_forget_bias = false}, input, {0.57019705, 0.8661914, 0.9459622});
  expect_last(LSTM{.units = 3, .use_bias = false}, input, {0.54986924, 0.86226785, 0.9443936});
}

// lstm_test.py: test_statefulness, test_pass_initial_state

TEST(KerasFigures, LSTMContinuesFromAState) {
  expect_after_two_passes(LSTM{.units = 4}, {2, 3, 4}, {0.3124785, 0.6863672});
  expect_from_state(LSTM{.units = 2}, figures({2, 2}, {0.20574439, 0.3558822, 0.64930826, 0.66276}));
  expect_from_state(LSTM{.units = 2, .go_backwards = true},
                    figures({2, 2}, {0.13281618, 0.2790356, 0.5839337, 0.5992567}));
}

// lstm_test.py: test_masking. Steps whose mask is true at the beginning of each sample are a shorter sequence; the
// states after them are the masked layer's last outputs.

TEST(KerasFigures, LSTMReturnsTheStateAfterEachStep) {
  const LSTM layer = with_constants(LSTM{.units = 2, .return_sequences = true}, 4, 3);
  const Tensor y = run(layer, arange({2, 4, 3}));
  const std::vector<double> first{0.01588910, 0.05552048, 0.11755939}, second{0.14185596, 0.28556206};
  for (Index unit = 0; unit < 2; ++unit) {
    for (Index t = 0; t < 3; ++t) EXPECT_NEAR(y.at({0, t, unit}), first[static_cast<std::size_t>(t)], keras_tolerance);
    for (Index t = 0; t < 2; ++t) EXPECT_NEAR(y.at({1, t, unit}), second[static_cast<std::size_t>(t)], keras_tolerance);
  }
}

// gru_test.py: test_correctness

TEST(KerasFigures, GRUReturnsItsLastState) {
  const Shape input{3, 6, 4};
  expect_last(GRU{.units = 3}, input, {0.5217289, 0.6371659, 0.39384964});
  expect_last(GRU{.units = 3, .go_backwards = true}, input, {0.24406259, 0.611516, 0.3928808});
  expect_last(GRU{.units = 3, .reset_after = false}, input, {0.51447755, 0.6426879, 0.40208298});
  expect_last(GRU{.units = 3, .use_bias = false}, input, {0.49988455, 0.64701194, 0.4103359});
}

// gru_test.py: test_statefulness, test_pass_initial_state, test_pass_return_state

TEST(KerasFigures, GRUContinuesFromAState) {
  expect_after_two_passes(GRU{.units = 4}, {2, 3, 4}, {0.29542392, 0.5885018});
  expect_from_state(GRU{.units = 2}, figures({2, 2}, {0.23774096, 0.33508456, 0.83659905, 1.0227708}));
  expect_from_state(GRU{.units = 2, .go_backwards = true},
                    figures({2, 2}, {0.13486053, 0.23261218, 0.78257304, 0.9691353}));
}

// simple_rnn_test.py: test_correctness

TEST(KerasFigures, SimpleRNNReturnsItsLastState) {
  expect_last(SimpleRNN{.units = 4}, {2, 3, 4}, {0.405432, 0.73605347});
  expect_last(SimpleRNN{.units = 4, .go_backwards = true}, {2, 3, 4}, {0.11144729, 0.5528889});
}

// simple_rnn_test.py: test_statefulness, test_pass_initial_state

TEST(KerasFigures, SimpleRNNContinuesFromAState) {
  expect_after_two_passes(SimpleRNN{.units = 4}, {2, 3, 4}, {0.40559256, 0.7361247});
  expect_from_state(SimpleRNN{.units = 4}, equal_units({0.33621645, 0.6262637}, 4));
  expect_from_state(SimpleRNN{.units = 4, .go_backwards = true}, equal_units({0.07344437, 0.43043602}, 4));
}

// bidirectional_test.py: test_correctness

TEST(KerasFigures, BidirectionalMergesTheLastStates) {
  const SimpleRNN forward = constant_weights(SimpleRNN{.units = 2});
  const Tensor x = arange({2, 3, 4});
  expect_near(run(built(Bidirectional{forward}, {3, 4}), x),
              figures({2, 4}, {0.39687276, 0.39687276, 0.10004295, 0.10004295,  //
                               0.7237238, 0.7237238, 0.53391594, 0.53391594}),
              keras_tolerance);
  expect_near(run(built(Bidirectional{forward, MergeMode::ave}, {3, 4}), x), equal_units({0.24845785, 0.6288199}, 2),
              keras_tolerance);
  const SimpleRNN backward = constant_weights(SimpleRNN{.units = 2, .go_backwards = true}, 0.03, 0.01);
  expect_near(run(built(Bidirectional{forward, backward, MergeMode::mul}, {3, 4}), x),
              equal_units({0.08374989, 0.6740834}, 2), keras_tolerance);
}

TEST(KerasFigures, BidirectionalMergesSequencesInTheOrderOfTime) {
  const GRU forward = constant_weights(GRU{.units = 2, .return_sequences = true});
  Tensor y = run(built(Bidirectional{forward, MergeMode::sum}, {3, 4}), arange({2, 3, 4}));
  ASSERT_EQ(y.shape(), (Shape{2, 3, 2}));
  y.reshape({6, 2});
  expect_near(y, equal_units({0.20937867, 0.34462988, 0.40290534, 0.59829646, 0.6734641, 0.6479671}, 2),
              keras_tolerance);
}

// bidirectional_test.py: test_return_state and test_statefulness, here for each direction by itself

TEST(KerasFigures, BothDirectionsReturnTheirStates) {
  struct Direction {
    bool go_backwards;
    std::vector<double> h, c, h_of_second_pass;
  };
  for (const Direction& each :
       {Direction{false, {0.1990008, 0.52335435}, {0.35567185, 1.0492687}, {0.26234663, 0.6137073}},
        Direction{true, {0.12659755, 0.44717982}, {0.2501858, 0.941473}, {0.16959146, 0.5381646}}}) {
    const LSTM layer{.units = 2, .go_backwards = each.go_backwards};
    const LSTM made = with_constants(layer, 4, 3);
    const Tensor x = arange({2, 4, 3});
    Tape tape(Mode::inference);
    const auto [y, state] = made.forward(tape.input(x), {});
    expect_near(Tensor(y.value()), equal_units(each.h, 2), keras_tolerance);
    expect_near(Tensor(state.h.value()), equal_units(each.h, 2), keras_tolerance);
    expect_near(Tensor(state.c.value()), equal_units(each.c, 2), keras_tolerance);
    expect_after_two_passes(layer, {2, 4, 3}, each.h_of_second_pass);
  }
}

// bidirectional_test.py: test_pass_initial_state, for each direction by itself: h and c are multiples of arange(4)

TEST(KerasFigures, BothDirectionsTakeDifferentStates) {
  struct Direction {
    bool go_backwards;
    double h, c;
    Tensor y;
  };
  for (const Direction& each :
       {Direction{false, 1, 2, figures({2, 2}, {0.20794602, 0.4577124, 0.6682636, 0.6711909})},
        Direction{true, 3, 4, figures({2, 2}, {0.14046375, 0.48191673, 0.60943645, 0.60950446})}}) {
    const LSTM layer = with_constants(LSTM{.units = 2, .go_backwards = each.go_backwards}, 4, 3);
    const Tensor x = arange({2, 4, 3}), states = arange({2, 2});
    Tape tape(Mode::inference);
    const Var s = tape.input(states);
    expect_near(Tensor(layer.forward(tape.input(x), {each.h * s, each.c * s}).y.value()), each.y, keras_tolerance);
  }
}

// time_distributed_test.py: test_correctness

TEST(KerasFigures, TimeDistributedAppliesADenseToEachStep) {
  const TimeDistributed layer{Dense{.units = 1, .use_bias = false, .kernel_initializer = constant(0.01)}};
  expect_near(run(built(layer, {2, 4}), arange({3, 2, 4})),
              figures({3, 2, 1}, {0.06, 0.22, 0.38, 0.53999996, 0.7, 0.86}), keras_tolerance);
}

}  // namespace
}  // namespace cornu
