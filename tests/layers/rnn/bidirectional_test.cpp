#include "cornu/layers/rnn/bidirectional.h"

#include <gtest/gtest.h>

#include <string>
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
