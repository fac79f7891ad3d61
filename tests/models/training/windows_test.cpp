#include "cornu/datasets/windows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "cornu/datasets/character_vocabulary.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"

// Models learn series and texts from windows.

namespace cornu {
namespace {

TEST(Windows, TeachALinearModelItsAutoregressiveSeries) {
  // A sine obeys s(t) = 2 cos(w) s(t - 1) - s(t - 2).
  constexpr double w = 1.0;
  Tensor series(Shape{300});
  for (Index t = 0; t < 300; ++t) series[t] = static_cast<Real>(std::sin(w * static_cast<double>(t)));
  const Windows data(series, {.length = 2});
  const Split parts = split(data, 0.2);
  const DatasetSlice& test = parts.validation;
  const FitOptions options{.epochs = 60, .verbose = Verbose::silent, .validation_split = 0.2, .seed = 4};
  const auto fitted = [&](const FitOptions& with) {
    Sequential model{Input{2}, Dense{1}};
    model.compile({.optimizer = SGD{.learning_rate = 0.2}, .loss = MeanSquaredError{}});
    model.fit(parts.train, with);
    return model;
  };
  const Sequential model = fitted(options);
  const std::vector<Tensor> weights = model.get_weights();
  EXPECT_NEAR(static_cast<double>(weights[0][0]), -1, 1e-3);
  EXPECT_NEAR(static_cast<double>(weights[0][1]), 2 * std::cos(w), 1e-3);
  EXPECT_NEAR(static_cast<double>(weights[1][0]), 0, 1e-3);
  EXPECT_LT(model.evaluate(test)["loss"], 1e-6);
  const Tensor predictions = model.predict(test);
  for (Index i = 0; i < test.size(); ++i) {
    EXPECT_NEAR(predictions[i], series[300 - test.size() + i], 1e-3);
  }

  EXPECT_EQ(fitted(options).get_weights(), weights) << "the same seed gives the same bits";
  FitOptions other = options;
  other.seed = 5;
  EXPECT_NE(fitted(other).get_weights(), weights) << "the windows are shuffled by the seed";
}

TEST(Windows, TeachARecurrentModelTheNextCharacters) {
  std::string text;
  while (text.size() < 400) text += "abac";  // after an a, the character depends on the one before
  const CharacterVocabulary vocabulary(text);
  const Tensor ids = vocabulary.encode(text);
  const Windows data(ids, {.length = 12, .stride = 12, .target_length = 12});
  Sequential model{Input{12}, Embedding{vocabulary.size(), 4}, LSTM{.units = 8, .return_sequences = true},
                   Dense{vocabulary.size()}};
  model.compile({.optimizer = Adam{.learning_rate = 0.02},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {Accuracy{}}});
  const History history = model.fit(data, {.batch_size = 8, .epochs = 60, .verbose = Verbose::silent});
  // Every window begins with "abac", so that all its targets can be known.
  EXPECT_EQ(history["accuracy"].back(), 1);
  EXPECT_LT(history["loss"].back(), 0.1);
}

}  // namespace
}  // namespace cornu
