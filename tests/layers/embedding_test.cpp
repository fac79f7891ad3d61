#include "cornu/layers/embedding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/layers/check_layer.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::run;

Embedding embedding_by_hand() {
  return {.input_dim = 3, .output_dim = 2, .embeddings = {Tensor::matrix({{1, 2}, {3, 4}, {5, 6}})}};
}

TEST(Embedding, LooksUpARowForEachIndex) {
  EXPECT_EQ(run(embedding_by_hand(), Tensor::vector({2, 0})), Tensor::matrix({{5, 6}, {1, 2}}));
  EXPECT_EQ(run(embedding_by_hand(), Tensor::matrix({{1, 1}, {0, 2}})), Tensor({2, 2, 2}, {3, 4, 3, 4, 1, 2, 5, 6}));
}

TEST(Embedding, AddsUpTheGradientsOfEachRow) {
  const Embedding layer = embedding_by_hand();
  const Tensor x = Tensor::matrix({{1, 1}, {0, 1}}), g({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  Tape tape;
  const Var in = tape.variable(x), y = layer.forward(in);
  EXPECT_EQ(Tensor(tape.backward(y, g)[layer.embeddings]), Tensor::matrix({{5, 6}, {11, 14}, {0, 0}}));
  EXPECT_FALSE(in.has_gradient());
  const Gradients twice = tape.backward(concatenate({y, layer.forward(in)}, 0), Tensor::full({4, 2, 2}, 1));
  EXPECT_EQ(Tensor(twice[layer.embeddings]), Tensor::matrix({{2, 2}, {6, 6}, {0, 0}}));
}

TEST(Embedding, BuildsForSamplesOfAnyShape) {
  Embedding layer{.input_dim = 10, .output_dim = 4};
  Rng rng(1);
  EXPECT_EQ(layer.build({}, rng), Shape{4});
  EXPECT_EQ(layer.build({5, 2}, rng), (Shape{5, 2, 4}));
  EXPECT_EQ(layer.embeddings.shape(), (Shape{10, 4}));
  for (const Real number : layer.embeddings.value) EXPECT_LE(std::abs(number), Real(0.05));
  EXPECT_NE(layer.embeddings.value, Tensor({10, 4}));
}

TEST(Embedding, PassesCheckLayer) {
  for (const Shape& input : {Shape{}, Shape{4}, Shape{2, 3}}) {
    LayerCheckOptions options;
    options.input = Tensor(input.batched(3));
    for (Index i = 0; i < options.input.size(); ++i) options.input[i] = static_cast<Real>(i * 3 % 5);
    options.input_gradient = false;
    testing::expect_passes(Embedding{.input_dim = 6, .output_dim = 3}, input, options);
  }
}

TEST(Embedding, RejectsInvalidIndices) {
  const Embedding layer = embedding_by_hand();
  const auto text_for = [&](Real bad) {
    return error_of<ValueError>([&] { run(layer, Tensor::matrix({{0, 1, 2}, {0, bad, 1}})); });
  };
  const std::string rest = " at (1, 1) of (2, 3); whole numbers from 0 to 2 are required";
  EXPECT_EQ(text_for(3), "take: index 3" + rest);
  EXPECT_EQ(text_for(-1), "take: index -1" + rest);
  EXPECT_EQ(text_for(0.5), "take: index 0.5" + rest);
  EXPECT_EQ(text_for(testing::infinity), "take: index inf" + rest);
  EXPECT_EQ(text_for(testing::nan), "take: index nan" + rest);
  EXPECT_EQ(error_of<ValueError>([&] {
              run(AnyLayer("words", layer), Tensor::vector({1, 7}));
            }),
            "words: take: index 7 at (1,) of (2,); whole numbers from 0 to 2 are required");
}

TEST(Embedding, RejectsInvalidOptionsAndUseBeforeBuild) {
  Rng rng(1);
  const auto text_of_build = [&](Embedding layer) { return error_of<Error>([&] { layer.build({3}, rng); }); };
  EXPECT_EQ(text_of_build({.input_dim = 0, .output_dim = 3}),
            "Embedding: input_dim is 0 and output_dim is 3; both must be positive");
  EXPECT_EQ(text_of_build({.input_dim = 3, .output_dim = -1}),
            "Embedding: input_dim is 3 and output_dim is -1; both must be positive");
  EXPECT_EQ(text_of_build({.input_dim = 3, .output_dim = 2, .embeddings_initializer = nullptr}),
            "Embedding: the embeddings_initializer is empty; use random_uniform() if in doubt");
  EXPECT_EQ(error_of<StateError>([] {
              run(Embedding{3, 2}, Tensor({2, 3}));
            }),
            "Embedding: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
