#include <gtest/gtest.h>

#include <string>

#include "cornu/core/kernels/dropout_mask.h"
#include "cornu/core/ops/eager.h"
#include "cornu/layers/dense.h"
#include "cornu/tests/layers/rnn/reference.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

/// Initial states, returned states and dropout of the recurrent layers, compared with tests/layers/rnn/reference.h.
namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_near;
using testing::normal;
using testing::recurrent_tolerance;
using testing::recurrent_type;
using testing::reference_of;
using testing::ReferenceRnn;

Var plain_tanh(Var x) { return tanh(x); }

template <class L>
class RecurrentStates : public ::testing::Test {};
TYPED_TEST_SUITE(RecurrentStates, testing::RecurrentTypes);

template <class L>
constexpr bool has_cell = std::is_same_v<L, LSTM>;

struct Draw {
  Rng rng;
  bool flag() { return rng.bits() % 2 == 1; }
  Index index(Index least, Index most) {
    return least + static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(most - least + 1));
  }
};

/// A layer with random options, built for samples (any, features).
template <class L>
L random_layer(Draw& draw, Index features) {
  L layer{.units = draw.index(1, 5)};
  layer.use_bias = draw.flag();
  layer.bias_initializer = random_normal(0, 0.5);
  layer.return_sequences = draw.flag();
  layer.go_backwards = draw.flag();
  if (draw.flag()) layer.activation = plain_tanh;  // without core's fused ops
  if constexpr (requires { layer.reset_after; }) layer.reset_after = draw.flag();
  return built(layer, {4, features}, draw.rng.bits());
}

TYPED_TEST(RecurrentStates, MatchTheFormulasFromAnyState) {
  Draw draw{Rng(31)};
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const Index batch = draw.index(1, 3), steps = draw.index(1, 4), features = draw.index(1, 3);
    const TypeParam layer = random_layer<TypeParam>(draw, features);
    ReferenceRnn expected = reference_of(layer);
    Tape tape(Mode::inference);
    RecurrentState initial;
    const Tensor x = normal({batch, steps, features}, 0, draw.rng.bits());
    if (draw.flag()) {
      expected.h = normal({batch, layer.units}, 0, draw.rng.bits());
      initial.h = tape.input(expected.h);
    }
    if (has_cell<TypeParam> && draw.flag()) {
      expected.c = normal({batch, layer.units}, 0, draw.rng.bits());
      initial.c = tape.input(expected.c);
    }
    const auto [y, state] = layer.forward(tape.input(x), initial);
    const ReferenceRnn::Output right = expected(x);
    expect_near(Tensor(y.value()), right.y, recurrent_tolerance);
    expect_near(Tensor(state.h.value()), right.h, recurrent_tolerance);
    ASSERT_EQ(static_cast<bool>(state.c), has_cell<TypeParam>);
    if (has_cell<TypeParam>) expect_near(Tensor(state.c.value()), right.c, recurrent_tolerance);
  }
}

TYPED_TEST(RecurrentStates, ContinueASequence) {
  Draw draw{Rng(32)};
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    TypeParam layer = random_layer<TypeParam>(draw, 2);
    layer.go_backwards = false;
    const Tensor x = normal({3, 5, 2}, 0, draw.rng.bits());
    Tape tape;
    const Var in = tape.input(x);
    const Index at = draw.index(1, 4);
    const RecurrentOutput first = layer.forward(slice_axis(in, 1, 0, at), {}),
                          second = layer.forward(slice_axis(in, 1, at, 5), first.state);
    const Var y = layer.return_sequences ? concatenate({first.y, second.y}, 1) : second.y;
    expect_near(Tensor(y.value()), Tensor(layer.forward(in).value()), recurrent_tolerance);
  }
}

/// Two passes of a layer from a computed state: check_layer reaches everything through y, h and c.
template <class L>
struct Continued {
  L layer;
  Dense first{.units = 0};

  Shape build(const Shape& input, Rng& rng) {
    layer.build(input, rng);
    first.units = layer.units;
    first.build({input[0] * input[1]}, rng);
    return {3 * layer.units};
  }
  Var forward(Var x) const {
    const Index batch = x.shape()[0];
    RecurrentState initial{tanh(first.forward(reshape(x, {batch, -1})))};
    if (has_cell<L>) initial.c = initial.h * initial.h;
    const auto [y, state] = layer.forward(x, initial);
    const auto again = layer.forward(x, state);
    const Var last = layer.return_sequences ? mean(y, 1) : y;
    return concatenate({last, again.state.h, state.c ? state.c : state.h}, 1);
  }
  NamedParameters parameters() {
    NamedParameters result;
    for (const NamedParameter& own : layer.parameters()) result.push_back({"rnn/" + own.name, own.parameter});
    for (const NamedParameter& own : first.parameters()) result.push_back({"first/" + own.name, own.parameter});
    return result;
  }
};

TYPED_TEST(RecurrentStates, PassCheckLayerWithinALayer) {
  Draw draw{Rng(34)};
  for (int round = 0; round < 6; ++round) {
    const TypeParam layer = random_layer<TypeParam>(draw, 2);
    testing::expect_passes(Continued<TypeParam>{layer}, {3, 2});
  }
}

TYPED_TEST(RecurrentStates, OfAnotherShapeAreRefused) {
  const std::string who = recurrent_type<TypeParam>;
  const TypeParam layer = built(TypeParam{.units = 2}, {4, 3});
  Tape tape;
  const Tensor numbers({2, 4, 3}), wrong({2, 3}), right({2, 2});
  const Var x = tape.input(numbers);
  EXPECT_EQ(error_of<ShapeError>([&] { layer.forward(x, {tape.input(wrong)}); }),
            who + ": an initial state of shape (2, 3); (2, 2) is required");
  if (has_cell<TypeParam>) {
    EXPECT_EQ(error_of<ShapeError>([&] {
                layer.forward(x, {tape.input(right), tape.input(wrong)});
              }),
              who + ": an initial state of shape (2, 3); (2, 2) is required");
  } else {
    EXPECT_EQ(error_of<ValueError>([&] {
                layer.forward(x, {tape.input(right), tape.input(right)});
              }),
              who + ": the initial state has a c, which only an LSTM has");
  }
}

TEST(AState, IsTakenOnlyByARecurrentLayer) {
  AnyLayer layer = Dense{2};
  Rng rng(1);
  layer.build({3}, rng);
  Tape tape;
  const Tensor x({2, 3});
  EXPECT_EQ(error_of<ValueError>([&] { layer(tape.input(x), {}); }),
            "Dense: was called with a state; only a recurrent layer takes one");
}

// ---- Dropout ----

TYPED_TEST(RecurrentStates, DropoutMatchesTheFormulasWithOneMaskForAllSteps) {
  Draw draw{Rng(35)};
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const Index batch = draw.index(1, 3), steps = draw.index(1, 4), features = draw.index(1, 3);
    TypeParam layer = random_layer<TypeParam>(draw, features);
    layer.dropout = draw.flag() ? 0.3 : 0;
    layer.recurrent_dropout = draw.flag() ? 0.6 : 0;
    const Tensor x = normal({batch, steps, features}, 0, draw.rng.bits());
    ReferenceRnn expected = reference_of(layer);
    expect_near(testing::run(layer, x), expected(x).y, recurrent_tolerance);  // in inference there is none
    const std::uint64_t seed = draw.rng.bits();
    Tape same(Mode::training, seed);
    if (layer.dropout > 0) {
      expected.x_mask = Tensor({batch, features});
      detail::fill_dropout_mask(expected.x_mask, layer.dropout, same.rng());
    }
    if (layer.recurrent_dropout > 0) {
      expected.h_mask = Tensor({batch, layer.units});
      detail::fill_dropout_mask(expected.h_mask, layer.recurrent_dropout, same.rng());
    }
    expect_near(testing::run(layer, x, Mode::training, seed), expected(x).y, 10 * recurrent_tolerance);
  }
}

TYPED_TEST(RecurrentStates, DropoutPassesCheckLayer) {
  testing::expect_passes(TypeParam{.units = 3, .dropout = 0.4}, {4, 2});
  testing::expect_passes(TypeParam{.units = 3, .return_sequences = true, .recurrent_dropout = 0.4}, {4, 2});
  testing::expect_passes(TypeParam{.units = 3, .go_backwards = true, .dropout = 0.2, .recurrent_dropout = 0.3}, {4, 2});
}

TYPED_TEST(RecurrentStates, DropoutRatesAreChecked) {
  Rng rng(1);
  const std::string who = recurrent_type<TypeParam>;
  for (const double rate : {-0.1, 1.0}) {
    EXPECT_EQ(error_of<ValueError>([&] {
                TypeParam{.units = 1, .dropout = rate}.build({2, 2}, rng);
              }),
              message("{}: dropout is {}; at least 0 and less than 1 is required", who, rate));
    EXPECT_EQ(error_of<ValueError>([&] {
                TypeParam{.units = 1, .recurrent_dropout = rate}.build({2, 2}, rng);
              }),
              message("{}: recurrent_dropout is {}; at least 0 and less than 1 is required", who, rate));
  }
}

}  // namespace
}  // namespace cornu
