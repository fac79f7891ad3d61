#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/tests/support/expect_error.h"

/// Initial and returned states of lstm and gru. tests/layers/rnn/states_test.cpp compares their values with the
/// formula.
namespace cornu {
namespace {

using testing::error_of;

Tensor some_numbers(const Shape& shape, std::uint64_t seed) {
  Tensor result(shape);
  Rng(seed).fill_normal(result, 0, Real(0.7));
  return result;
}

/// The operands x, kernel, recurrent kernel, bias, h and, for lstm, c.
std::vector<Tensor> operands_of(bool is_lstm, Index batch, Index steps, Index units) {
  const Index width = (is_lstm ? 4 : 3) * units;
  std::vector<Tensor> result{some_numbers({batch, steps, 2}, 1), some_numbers({2, width}, 2),
                             some_numbers({units, width}, 3), some_numbers(is_lstm ? Shape{width} : Shape{2, width}, 4),
                             some_numbers({batch, units}, 5)};
  if (is_lstm) result.push_back(some_numbers({batch, units}, 6));
  return result;
}

RecurrentOutput apply(std::span<const Var> v, bool with_bias, const RecurrentOptions& options) {
  if (v.size() > 5) {
    const RecurrentState initial{v[4], v[5]};
    return with_bias ? lstm(v[0], initial, v[1], v[2], v[3], options) : lstm(v[0], initial, v[1], v[2], options);
  }
  const RecurrentState initial{v[4]};
  return with_bias ? gru(v[0], initial, v[1], v[2], v[3], options) : gru(v[0], initial, v[1], v[2], options);
}

TEST(RecurrentOps, HaveGradientsThroughInitialAndReturnedStates) {
  for (const bool is_lstm : {true, false}) {
    for (const Index steps : {1, 3}) {
      for (int how = 0; how < 8; ++how) {
        const RecurrentOptions options{.return_sequences = how % 2 == 1, .go_backwards = how / 2 % 2 == 1};
        const CheckReport report = check_gradients(
            [&](std::span<const Var> v) {
              const auto [y, state] = apply(v, how / 4 == 1, options);
              const Var both = concatenate({reshape(y, {-1}), reshape(2 * state.h, {-1})}, 0);
              const Var all = is_lstm ? concatenate({both, reshape(state.c * state.c, {-1})}, 0) : both;
              return how / 4 == 1 ? all : all + 0 * sum(v[3]);  // every input is read
            },
            operands_of(is_lstm, 2, steps, 2));
        EXPECT_TRUE(report) << is_lstm << ' ' << steps << ' ' << how << '\n' << to_string(report);
      }
    }
  }
}

/// A gradient that reaches the op through one of its results only.
TEST(RecurrentOps, HaveGradientsThroughEachState) {
  for (const bool is_lstm : {true, false}) {
    for (int part = 0; part < (is_lstm ? 3 : 2); ++part) {
      for (const bool return_sequences : {true, false}) {
        const CheckReport report = check_gradients(
            [&](std::span<const Var> v) {
              const auto [y, state] = apply(v, true, {.return_sequences = return_sequences});
              return part == 0 ? y : part == 1 ? state.h : state.c;
            },
            operands_of(is_lstm, 1, 2, 3));
        EXPECT_TRUE(report) << is_lstm << ' ' << part << '\n' << to_string(report);
      }
    }
  }
}

TEST(RecurrentOps, FromAnEmptyStateHaveTheSameBits) {
  for (const bool return_sequences : {true, false}) {
    const RecurrentOptions options{.return_sequences = return_sequences};
    Tape tape;
    const auto on_tape = [&](const std::vector<Tensor>& numbers) {
      std::vector<Var> result;
      for (const Tensor& each : numbers) result.push_back(tape.constant(each));
      return result;
    };
    const std::vector<Var> a = on_tape(operands_of(true, 2, 3, 5)), b = on_tape(operands_of(false, 2, 3, 5));
    EXPECT_EQ(Tensor(lstm(a[0], {}, a[1], a[2], a[3], options).y.value()),
              Tensor(lstm(a[0], a[1], a[2], a[3], options).value()));
    EXPECT_EQ(Tensor(gru(b[0], {}, b[1], b[2], b[3], options).y.value()),
              Tensor(gru(b[0], b[1], b[2], b[3], options).value()));
  }
}

TEST(RecurrentOps, RefuseStatesOfAnotherShape) {
  Tape tape;
  const auto zeros = [&](const Shape& shape) { return tape.constant(Tensor(shape)); };
  const Var x = zeros({1, 4, 3}), four = zeros({3, 8}), of_state = zeros({2, 8}), three = zeros({3, 6}),
            of_h = zeros({2, 6}), good = zeros({1, 2}), bad = zeros({2, 2});
  EXPECT_EQ(error_of<ShapeError>([&] {
              lstm(x, RecurrentState{good, bad}, four, of_state);
            }),
            "lstm: an initial state of shape (2, 2); (1, 2) is required");
  EXPECT_EQ(error_of<ShapeError>([&] { gru(x, RecurrentState{bad}, three, of_h); }),
            "gru: an initial state of shape (2, 2); (1, 2) is required");
  EXPECT_EQ(error_of<ValueError>([&] {
              gru(x, RecurrentState{good, good}, three, of_h);
            }),
            "gru: the initial state has a c, which only an LSTM has");
}

}  // namespace
}  // namespace cornu
