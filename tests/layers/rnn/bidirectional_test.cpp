#include "cornu/layers/rnn/bidirectional.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <type_traits>
#include <vector>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/dense.h"
#include "cornu/tests/layers/rnn/reference.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_near;
using testing::normal;
using testing::reference_of;
using testing::run;

template <class L>
class BidirectionalOf : public ::testing::Test {};
TYPED_TEST_SUITE(BidirectionalOf, testing::RecurrentTypes);

constexpr MergeMode merge_modes[] = {MergeMode::concat, MergeMode::sum, MergeMode::mul, MergeMode::ave};

/// Element by element, from the outputs of both directions in the order of time.
Tensor merged(const Tensor& a, const Tensor& b, MergeMode mode) {
  const Index width = a.shape()[-1], rows = a.size() / width, both = mode == MergeMode::concat ? 2 * width : width;
  Tensor result(a.shape().with(-1, both));
  for (Index row = 0; row < rows; ++row) {
    for (Index j = 0; j < width; ++j) {
      const Real one = a[row * width + j], other = b[row * width + j];
      Real& to = result[row * both + j];
      to = mode == MergeMode::concat ? one
           : mode == MergeMode::sum  ? one + other
           : mode == MergeMode::mul  ? one * other
                                     : (one + other) / 2;
      if (mode == MergeMode::concat) result[row * both + width + j] = other;
    }
  }
  return result;
}

TYPED_TEST(BidirectionalOf, MergesBothDirectionsInTheOrderOfTime) {
  for (const MergeMode mode : merge_modes) {
    for (const bool return_sequences : {true, false}) {
      TypeParam inner{.units = 3, .return_sequences = return_sequences};
      inner.bias_initializer = random_normal(0, 0.5);
      Bidirectional layer = built(Bidirectional{inner, mode}, {4, 2});
      const Tensor x = normal({3, 4, 2});
      const auto result_of = [&](std::size_t direction) {
        const TypeParam& own = *layer.layers()[direction].layer->as<TypeParam>();
        EXPECT_EQ(own.go_backwards, direction == 1);
        const Tensor y = reference_of(own)(x).y;
        if (direction == 0 || !return_sequences) return y;
        Tensor in_time(y.shape());
        for (Index i = 0; i < 3; ++i) {
          for (Index t = 0; t < 4; ++t) {
            for (Index j = 0; j < 3; ++j) in_time.at({i, t, j}) = y.at({i, 3 - t, j});
          }
        }
        return in_time;
      };
      expect_near(run(layer, x), merged(result_of(0), result_of(1), mode), testing::recurrent_tolerance);
    }
  }
}

TYPED_TEST(BidirectionalOf, PassesCheckLayer) {
  for (const MergeMode mode : merge_modes) {
    testing::expect_passes(Bidirectional{TypeParam{.units = 2, .return_sequences = true}, mode}, {3, 2});
    testing::expect_passes(Bidirectional{TypeParam{.units = 2}, mode}, {3, 2});
  }
}

// ---- States ----

/// Sequences (batch, steps, features) with the steps in reverse order, element by element.
Tensor with_steps_reversed(const Tensor& x) {
  Tensor result(x.shape());
  const Index steps = x.shape()[1], width = x.shape()[2];
  for (Index i = 0; i < x.size(); ++i) {
    const Index sample = i / (steps * width), step = i / width % steps;
    result[(sample * steps + steps - 1 - step) * width + i % width] = x[i];
  }
  return result;
}

TYPED_TEST(BidirectionalOf, MatchesTheFormulasFromAnyStates) {
  constexpr bool has_c = std::is_same_v<TypeParam, LSTM>;
  Rng rng(41);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const Index batch = 1 + rng.below(3), steps = 1 + rng.below(4), features = 1 + rng.below(3);
    const MergeMode mode = merge_modes[static_cast<std::size_t>(rng.below(4))];
    TypeParam inner{.units = 1 + rng.below(4)};
    inner.return_sequences = rng.below(2) == 0;
    inner.go_backwards = rng.below(2) == 0;
    inner.bias_initializer = random_normal(0, 0.5);
    Bidirectional layer = built(Bidirectional{inner, mode}, {steps, features}, rng.bits());
    const Tensor x = normal({batch, steps, features}, 0, rng.bits());

    Tape tape(Mode::inference);
    BidirectionalState initial;
    std::array<testing::ReferenceRnn, 2> formulas{reference_of(*layer.layers()[0].layer->as<TypeParam>()),
                                                  reference_of(*layer.layers()[1].layer->as<TypeParam>())};
    const std::array<RecurrentState*, 2> states{&initial.forward, &initial.backward};
    for (std::size_t i = 0; i < 2; ++i) {
      if (rng.below(3) > 0) {
        formulas[i].h = normal({batch, inner.units}, 0, rng.bits());
        states[i]->h = tape.input(formulas[i].h);
      }
      if (has_c && rng.below(3) > 0) {
        formulas[i].c = normal({batch, inner.units}, 0, rng.bits());
        states[i]->c = tape.input(formulas[i].c);
      }
    }
    const BidirectionalOutput both = layer.forward(tape.input(x), initial);

    const testing::ReferenceRnn::Output one = formulas[0](x), last = formulas[1](x);
    const Tensor other = inner.return_sequences ? with_steps_reversed(last.y) : last.y;
    const auto near = [](Var got, const Tensor& expected) {
      ASSERT_TRUE(got);
      expect_near(Tensor(got.value()), expected, testing::recurrent_tolerance);
    };
    near(both.forward, one.y);
    near(both.backward, other);
    near(both.y, merged(one.y, other, mode));
    near(both.state.forward.h, one.h);
    near(both.state.backward.h, last.h);
    for (const RecurrentState* const state : {&both.state.forward, &both.state.backward}) {
      ASSERT_EQ(static_cast<bool>(state->c), has_c);
    }
    if (has_c) {
      near(both.state.forward.c, one.c);
      near(both.state.backward.c, last.c);
    }
  }
}

TYPED_TEST(BidirectionalOf, BeginsWithZerosWithoutStates) {
  const Bidirectional layer = built(Bidirectional{TypeParam{.units = 3, .return_sequences = true}}, {4, 2});
  const Tensor x = normal({3, 4, 2});
  Tape tape(Mode::inference);
  expect_near(Tensor(layer.forward(tape.input(x), {}).y.value()), run(layer, x), testing::recurrent_tolerance);
}

/// Two passes from computed states; the result has every output and state.
template <class L>
struct TwicePerDirection {
  Bidirectional rnn;
  Index units;
  AnyLayer first = Dense{4 * units, tanh};

  Var forward(Var x) const {
    const Var states = first(mean(x, 1));
    const auto part = [&](Index i) { return slice_axis(states, 1, i * units, (i + 1) * units); };
    BidirectionalState initial{.forward = {part(0)}, .backward = {part(1)}};
    if constexpr (std::is_same_v<L, LSTM>) {
      initial.forward.c = part(2);
      initial.backward.c = part(3);
    } else {
      initial.forward.h = initial.forward.h + part(2) * part(3);
    }
    const BidirectionalOutput both = rnn.forward(x, initial), again = rnn.forward(x, both.state);
    const auto one_row = [](Var y) { return y.rank() == 3 ? mean(y * y, 1) : y; };
    const RecurrentState &one = again.state.forward, &other = again.state.backward;
    return concatenate({one_row(both.y), one_row(again.forward), one_row(again.backward), one.h, other.h,
                        one.c ? one.c : one.h, other.c ? other.c : other.h});
  }
  NamedLayers layers() {
    NamedLayers all = rnn.layers();
    all.push_back({"first", &first});
    return all;
  }
};

TYPED_TEST(BidirectionalOf, PassesCheckLayerWithStates) {
  for (const MergeMode mode : merge_modes) {
    for (const bool return_sequences : {true, false}) {
      const TypeParam inner{.units = 2, .return_sequences = return_sequences};
      testing::expect_passes(TwicePerDirection<TypeParam>{.rnn = Bidirectional{inner, mode}, .units = 2}, {3, 2});
    }
  }
}

TEST(Bidirectional, OfAnLstmAndAGruReturnsTheStatesOfEach) {
  const Bidirectional layer = built(Bidirectional{LSTM{.units = 3}, GRU{.units = 2, .go_backwards = true}}, {4, 2});
  Tape tape(Mode::inference);
  const Tensor x = normal({5, 4, 2});
  const BidirectionalOutput both = layer.forward(tape.input(x), {});
  EXPECT_EQ(both.y.shape(), (Shape{5, 5}));
  EXPECT_EQ(both.forward.shape(), (Shape{5, 3}));
  EXPECT_EQ(both.backward.shape(), (Shape{5, 2}));
  EXPECT_EQ(both.state.forward.c.shape(), (Shape{5, 3}));
  EXPECT_EQ(both.state.backward.h.shape(), (Shape{5, 2}));
  EXPECT_FALSE(both.state.backward.c);
}

TEST(Bidirectional, NamesTheLayerWhoseStateDoesNotFit) {
  const Bidirectional layer = built(Bidirectional{LSTM{.units = 3}, GRU{.units = 2, .go_backwards = true}}, {4, 2});
  Tape tape(Mode::inference);
  const Tensor numbers({5, 4, 2}), of_three({5, 3}), of_two({5, 2});
  const Var x = tape.input(numbers), three = tape.input(of_three), two = tape.input(of_two);
  EXPECT_EQ(error_of<ShapeError>([&] {
              layer.forward(x, {.forward = {three, two}});
            }),
            "forward_lstm: LSTM: an initial state of shape (5, 2); (5, 3) is required");
  EXPECT_EQ(error_of<ShapeError>([&] { layer.forward(x, {.backward = {three}}); }),
            "backward_gru: GRU: an initial state of shape (5, 3); (5, 2) is required");
  EXPECT_EQ(error_of<ValueError>([&] {
              layer.forward(x, {.backward = {two, two}});
            }),
            "backward_gru: GRU: the initial state has a c, which only an LSTM has");
}

TEST(Bidirectional, NamesItsLayersAsKeras) {
  const auto names = [](Bidirectional layer) {
    std::vector<std::string> result;
    for (const NamedLayer& named : layer.layers()) result.push_back(named.name);
    return result;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(Bidirectional{LSTM{2}}), (Names{"forward_lstm", "backward_lstm"}));
  EXPECT_EQ(names(Bidirectional{{"a", SimpleRNN{2}}}), (Names{"forward_a", "backward_a"}));
  EXPECT_EQ(names(Bidirectional{{"a", GRU{2}}, {"b", GRU{.units = 2, .go_backwards = true}}}),
            (Names{"forward_a", "backward_b"}));
  EXPECT_EQ(AnyLayer(Bidirectional{LSTM{2}}).default_name(), "bidirectional");
}

TEST(Bidirectional, TheBackwardLayerHasWeightsOfItsOwn) {
  const LSTM trained = built(LSTM{.units = 2}, {3, 2}, 4);
  Bidirectional layer = built(Bidirectional{trained}, {3, 2});
  const Tensor forward = layer.layers()[0].layer->as<LSTM>()->kernel.value,
               backward = layer.layers()[1].layer->as<LSTM>()->kernel.value;
  EXPECT_EQ(forward, trained.kernel.value) << "a layer that is built keeps its weights";
  EXPECT_NE(backward, forward);
}

TEST(Bidirectional, TakesAnotherBackwardLayer) {
  const Bidirectional layer = built(Bidirectional{LSTM{.units = 3}, GRU{.units = 2, .go_backwards = true}}, {4, 2});
  EXPECT_EQ(run(layer, normal({5, 4, 2})).shape(), (Shape{5, 5}));
}

/// A user's recurrent layer: the running mean of the steps.
struct RunningMean {
  bool return_sequences = true, go_backwards = false;

  Var forward(Var x) const {
    const Index steps = x.shape()[1];
    const Var in = go_backwards ? flip(x, 1) : x;
    std::vector<Var> means;
    for (Index t = 1; t <= steps; ++t) means.push_back(mean(slice_axis(in, 1, 0, t), 1, {.keepdims = true}));
    return return_sequences ? concatenate(means, 1) : mean(x, 1);
  }
};

TEST(Bidirectional, WrapsAUsersLayer) {
  const Bidirectional layer = built(Bidirectional{RunningMean{}}, {3, 1});
  expect_near(run(layer, Tensor({1, 3, 1}, {3, 6, 12})), Tensor({1, 3, 2}, {3, 7, 4.5, 9, 7, 12}));
}

TEST(Bidirectional, RefusesStatesOfALayerThatHasNone) {
  const Bidirectional layer = built(Bidirectional{RunningMean{}}, {3, 1});
  Tape tape(Mode::inference);
  const Tensor x({1, 3, 1});
  EXPECT_EQ(error_of<ValueError>([&] { layer.forward(tape.input(x), {}); }),
            "forward_running_mean: was called with a state; only a recurrent layer takes one");
}

TEST(Bidirectional, RejectsWhatCannotBeMerged) {
  Rng rng(1);
  EXPECT_EQ(error_of<ValueError>([] { Bidirectional{Dense{2}}; }),
            "Bidirectional: a Dense has no option go_backwards; a recurrent layer is required");
  EXPECT_EQ(error_of<ValueError>([] {
              Bidirectional{LSTM{2}, LSTM{2}};
            }),
            "Bidirectional: both layers have .go_backwards = false; it must differ");
  const GRU backward{.units = 3, .go_backwards = true};
  EXPECT_EQ(error_of<ShapeError>([&] {
              Bidirectional{GRU{2}, backward, MergeMode::sum}.build({4, 2}, rng);
            }),
            "Bidirectional: its layers return samples of shapes (2,) and (3,); they must be equal");
  EXPECT_EQ(error_of<ShapeError>([&] {
              Bidirectional{GRU{.units = 2, .return_sequences = true}, backward}.build({4, 2}, rng);
            }),
            "Bidirectional: its layers return samples of shapes (4, 2) and (3,); they must be equal except for the "
            "last axis");
  EXPECT_EQ(error_of<ShapeError>([&] { Bidirectional{GRU{2}}.build({4}, rng); }),
            "forward_gru: GRU: a sample of shape (4,); (steps, features) is required (is a Reshape missing?)");
}

}  // namespace
}  // namespace cornu
