#include <gtest/gtest.h>

#include "cornu/layers/augmentation/random_erasing.h"
#include "cornu/layers/augmentation/random_flip.h"
#include "cornu/layers/augmentation/random_rotation.h"
#include "cornu/layers/augmentation/random_translation.h"
#include "cornu/layers/augmentation/random_zoom.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/tests/models/support.h"

namespace cornu {
namespace {

using testing::normal;

Sequential model_of_images() {
  Sequential model{Input{6, 6, 1},      RandomFlip{},     RandomTranslation{0.2, 0.2},
                   RandomRotation{0.1}, RandomZoom{0.2},  RandomErasing{0.5},
                   Flatten{},           Dense{3, softmax}};
  model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
  return model;
}

TEST(Augmentation, GivesTheSameBitsOnAnyNumberOfThreads) {
  const TensorDataset data(normal({40, 6, 6, 1}), testing::labels(40));
  const auto weights = [&](Index threads) {
    Sequential model = model_of_images();
    model.fit(data, {.batch_size = 20, .epochs = 2, .verbose = Verbose::silent, .threads = threads, .shard_size = 5});
    return model.get_weights();
  };
  const std::vector<Tensor> alone = weights(1);
  for (const Index threads : {2, 3}) EXPECT_EQ(weights(threads), alone);
}

TEST(Augmentation, IsInactiveInPredictions) {
  const Sequential model = model_of_images();
  Sequential plain{Input{6, 6, 1}, Flatten{}, Dense{3, softmax}};
  plain.set_weights(model.get_weights());
  const Tensor x = normal({10, 6, 6, 1});
  EXPECT_EQ(model.predict(x), plain.predict(x));
}

}  // namespace
}  // namespace cornu
