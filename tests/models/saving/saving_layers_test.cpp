#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/temporary_folder.h"

// Files with layers of every kind: with untrained state, with layers inside, with several inputs.

namespace cornu {
namespace {

using testing::normal;
using testing::TemporaryFolder;

/// Expects a trained model and the one loaded from its file to predict the same bits and to learn in the same way.
void expect_to_come_back(Sequential model, const Tensor& x, const Tensor& y) {
  const TemporaryFolder folder;
  model.compile({.optimizer = Adam{.learning_rate = 0.01}, .loss = MeanSquaredError{}});
  const FitOptions options{.batch_size = 8, .epochs = 2, .verbose = Verbose::silent, .threads = 1};
  model.fit(x, y, options);
  model.save(folder / "model");
  Sequential loaded = Sequential::load(folder / "model");
  EXPECT_EQ(to_string(loaded), to_string(model));
  EXPECT_EQ(loaded.predict(x), model.predict(x));
  model.fit(x, y, options);
  loaded.fit(x, y, options);
  EXPECT_EQ(loaded.get_weights(), model.get_weights());
}

TEST(SavedLayers, OfSequencesAreRestored) {
  expect_to_come_back(
      {Input{6, 3}, Conv1D{.filters = 4, .kernel_size = 2, .padding = Padding::causal},
       LSTM{.units = 4, .return_sequences = true}, LayerNormalization{},
       MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}, GRU{.units = 3}, Dense{2}},
      normal({20, 6, 3}), normal({20, 2}, 6));
}

TEST(SavedLayers, OfImagesAreRestored) {
  Normalization normalization;
  const Tensor x = normal({20, 6, 6, 2});
  normalization.adapt(x);
  expect_to_come_back(
      {Input{6, 6, 2}, normalization, RandomFlip{}, RandomTranslation{0.1, 0.1}, RandomErasing{},
       DepthwiseConv2D{.kernel_size = 3}, BatchNormalization{}, LeakyReLU{},
       Conv2D{.filters = 3, .kernel_size = 2, .kernel_regularizer = L2{}, .kernel_constraint = MaxNorm{}},
       GlobalAveragePooling2D{}, GELU{}, Dense{2}},
      x, normal({20, 2}, 6));
}

TEST(SavedLayers, WithInnerLayersAreRestored) {
  Tensor words({20, 3});
  for (Index i = 0; i < words.size(); ++i) words[i] = static_cast<Real>(i % 7);
  expect_to_come_back({Input{3}, Embedding{.input_dim = 7, .output_dim = 4}, Flatten{},
                       Residual{Dense{12, relu}, {"inner", Residual{Dense{12}}}},
                       Concatenate{{Dense{3}}, {}, {Dense{4, tanh}, Dropout{0.1}}}, Dense{2}},
                      words, normal({20, 2}, 6));
}

/// Two inputs, a shared layer and a skip connection.
struct Pair {
  AnyLayer shared = Dense{4, tanh}, head = Dense{2};

  Var forward(Var a, Var b) const { return head(concatenate({shared(a), shared(b), a})); }
  NamedLayers layers() { return {{"shared", &shared}, {"head", &head}}; }
};

TEST(SavedLayers, OfAUserAreRestored) {
  register_layer<Pair>();
  Pair other;  // with other options than the one that is loaded into it
  other.shared = Dense{5, relu};
  for (const Pair& pair : {Pair{}, other}) {
    expect_to_come_back({Inputs{{3}, {3}}, pair}, normal({20, 6}), normal({20, 2}, 6));
  }
}

}  // namespace
}  // namespace cornu
