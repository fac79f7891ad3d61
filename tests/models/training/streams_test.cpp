#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cornu/layers/augmentation/random_erasing.h"
#include "cornu/layers/augmentation/random_flip.h"
#include "cornu/layers/augmentation/random_translation.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reset_parameters.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/models/callbacks/backup_and_restore.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// Shuffling and the layers' random streams continue from the model's earlier training, by whichever calls it was
// trained.

namespace cornu {
namespace {

using testing::blobs;
using testing::error_of;
using testing::normal;
using testing::TemporaryFolder;

// ---- One fit of n epochs against fits whose epochs add up to n ----

struct Case {
  Index samples, batch_size, steps_per_epoch, shard_size, threads;
  bool shuffle;
  double validation_split;
  std::uint64_t seed;
};

Case drawn_case(Rng& rng) {
  const Index samples = 10 + rng.below(30), batch_size = 1 + rng.below(12);
  const double validation_split = rng.below(2) == 0 ? 0 : 0.25;
  const auto learnt = samples - static_cast<Index>(static_cast<double>(samples) * validation_split);
  return {.samples = samples,
          .batch_size = batch_size,
          // Whole passes, because each call of fit begins a pass.
          .steps_per_epoch = rng.below(3) == 0 ? 2 * ((learnt + batch_size - 1) / batch_size) : 0,
          .shard_size = rng.below(2) == 0 ? 0 : 2 + rng.below(5),
          .threads = 1 + rng.below(2),
          .shuffle = rng.below(4) != 0,
          .validation_split = validation_split,
          .seed = static_cast<std::uint64_t>(rng.below(3))};
}

/// A model with every layer that draws in training, and an optimizer with state.
Sequential drawing_model(std::uint64_t seed) {
  Sequential model({Input{4, 4, 1}, RandomFlip{}, RandomTranslation{0.2, 0.2}, RandomErasing{}, Flatten{}, Dropout{0.2},
                    Dense{6, relu}, BatchNormalization{}, Dropout{0.3}, Dense{3}},
                   {.seed = seed});
  model.compile({.optimizer = Adam{.learning_rate = 0.01},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {Accuracy{}}});
  return model;
}

/// Training continues on this model, on a copy of it, or on the model loaded from its file.
Sequential handed_on(Sequential model, Index how, const TemporaryFolder& folder) {
  if (how == 0) return model;
  if (how == 1) return Sequential(model);
  model.save(folder / "model");
  return Sequential::load(folder / "model");
}

TEST(Streams, SeveralFitsEqualOneLongerFit) {
  const TemporaryFolder folder;
  Rng rng(20);
  for (int i = 0; i < 60; ++i) {
    const Case drawn = drawn_case(rng);
    SCOPED_TRACE(i);
    const TensorDataset data(normal({drawn.samples, 4, 4, 1}, drawn.seed), testing::labels(drawn.samples));
    FitOptions options{.batch_size = drawn.batch_size,
                       .verbose = Verbose::silent,
                       .validation_split = drawn.validation_split,
                       .shuffle = drawn.shuffle,
                       .steps_per_epoch = drawn.steps_per_epoch,
                       .seed = drawn.seed,
                       .threads = drawn.threads,
                       .shard_size = drawn.shard_size};
    const Index epochs = 2 + rng.below(5);
    options.epochs = epochs;
    Sequential whole = drawing_model(drawn.seed), parts = drawing_model(drawn.seed);
    const History history = whole.fit(data, options);
    std::vector<double> losses;
    for (Index done = 0; done < epochs; done += options.epochs) {
      options.epochs = 1 + rng.below(epochs - done);
      const History part = parts.fit(data, options);
      losses.insert(losses.end(), part["loss"].begin(), part["loss"].end());
      parts = handed_on(std::move(parts), rng.below(3), folder);
    }
    EXPECT_EQ(parts.get_weights(), whole.get_weights());
    EXPECT_EQ(losses, history["loss"]);
  }
}

TEST(Streams, TrainOnBatchContinuesThroughCopiesAndFiles) {
  const TemporaryFolder folder;
  const Tensor x = normal({6, 4, 4, 1}), y = testing::labels(6);
  Sequential whole = drawing_model(1), parts = drawing_model(1);
  for (Index i = 0; i < 6; ++i) {
    whole.train_on_batch(x, y);
    parts.train_on_batch(x, y);
    parts = handed_on(std::move(parts), i % 3, folder);
  }
  EXPECT_EQ(parts.get_weights(), whole.get_weights());
}

TEST(Streams, TheSameCallsGiveTheSameBits) {
  const auto trained = [] {
    const TensorDataset data(normal({20, 4, 4, 1}), testing::labels(20));
    Sequential model = drawing_model(5);
    const FitOptions options{.batch_size = 6, .epochs = 2, .verbose = Verbose::silent, .seed = 3};
    model.fit(data, options);
    model.train_on_batch(data.x(), data.y());
    model.compile({.optimizer = SGD{}, .loss = SparseCategoricalCrossentropy{.from_logits = true}});
    model.fit(data, options);
    return model.get_weights();
  };
  EXPECT_EQ(trained(), trained());
}

// ---- Random numbers ----

/// Records a number drawn from each training pass's stream; all must differ.
struct Noting {
  std::vector<double>* notes;

  Var forward(Var x) const {
    if (x.tape().training()) {
      Rng rng = x.tape().rng();
      notes->push_back(static_cast<double>(rng.bits() >> 11));
    }
    return x;
  }
};

/// Records the rows of each batch.
struct NotingRows {
  std::vector<std::vector<Index>>* asked;

  Index size() const { return 12; }
  Shape feature_shape() const { return {2}; }
  void gather(std::span<const Index> rows, View x, View y) const {
    asked->emplace_back(rows.begin(), rows.end());
    std::fill(x.begin(), x.end(), Real{1});
    std::fill(y.begin(), y.end(), Real{0});
  }
};

struct Watched {
  std::vector<double> notes{};
  std::vector<std::vector<Index>> asked{};
  NotingRows data{&asked};
  Sequential model{Input{2}, Noting{&notes}, Dense{3}, Softmax{}};
  FitOptions options{.batch_size = 12, .epochs = 2, .verbose = Verbose::silent, .threads = 1};

  Watched() { compile(); }
  void compile() { model.compile({.optimizer = SGD{}, .loss = SparseCategoricalCrossentropy{}}); }

  /// Expects all noise and all shuffles to be different.
  void expect_all_different(std::size_t steps, std::size_t passes) const {
    EXPECT_EQ(notes.size(), steps);
    EXPECT_EQ(std::set<double>(notes.begin(), notes.end()).size(), steps);
    EXPECT_EQ(asked.size(), passes);
    EXPECT_EQ((std::set<std::vector<Index>>(asked.begin(), asked.end()).size()), passes);
  }
};

TEST(Streams, NoCallRepeatsAnother) {
  Watched w;
  w.notes.clear();  // from building
  w.model.fit(w.data, w.options);
  w.model.train_on_batch(Tensor({1, 2}), Tensor(Shape{1}));
  w.model.fit(w.data, w.options);
  w.compile();  // the optimizer's iterations restart at 0
  w.model.train_on_batch(Tensor({1, 2}), Tensor(Shape{1}));
  w.model.fit(w.data, w.options);
  w.model.set_weights(w.model.get_weights());
  w.model.fit(w.data, w.options);
  w.expect_all_different(2 + 1 + 2 + 1 + 2 + 2, 8);
  for (std::size_t i = 0; i < w.asked.size(); ++i) {
    EXPECT_EQ(w.asked[i], Rng(0, 1 + i).permutation(12)) << "as in one fit of eight epochs";
  }
}

TEST(Streams, ACallbackThatTrainsOrAssignsTheModelRepeatsNoStream) {
  Watched w;
  const Sequential start = w.model;
  w.notes.clear();
  w.options.epochs = 4;
  w.options.callbacks = {LambdaCallback{.on_epoch_end = [&](cornu::Run& run, Index epoch, Logs&) {
    if (epoch == 0) run.model.train_on_batch(Tensor({1, 2}), Tensor(Shape{1}));
    if (epoch == 1) run.model = start;
    if (epoch == 2) {
      FitOptions inner = w.options;
      inner.epochs = 1;
      inner.callbacks.clear();
      run.model.fit(w.data, inner);
    }
  }}};
  w.model.fit(w.data, w.options);
  w.expect_all_different(4 + 1 + 1, 4 + 1);
}

TEST(Streams, RestartWithNewWeights) {
  Watched w;
  w.model.fit(w.data, w.options);
  const std::vector<Tensor> weights = w.model.get_weights();
  const auto asked = w.asked;
  w.asked.clear();
  w.model.build({2});  // keeps the weights
  w.model.fit(w.data, w.options);
  EXPECT_EQ(w.asked, (std::vector<std::vector<Index>>{Rng(0, 3).permutation(12), Rng(0, 4).permutation(12)}));
  w.asked.clear();
  reset_parameters(w.model);
  w.model.build({2});
  w.model.fit(w.data, w.options);
  EXPECT_EQ(w.asked, asked);
  EXPECT_EQ(w.model.get_weights(), weights);
}

TEST(Streams, AFitThatFailsBeforeItsFirstStepLeavesNoTrace) {
  Watched w, untouched;
  w.options.class_weight = {{7, 1}};
  EXPECT_THROW(w.model.fit(w.data, w.options), ValueError);
  w.options.class_weight.clear();
  w.options.callbacks = {LambdaCallback{.on_epoch_begin = [](cornu::Run&, Index, Logs&) { throw ValueError("no"); }}};
  EXPECT_THROW(w.model.fit(w.data, w.options), ValueError);
  w.options.callbacks.clear();
  w.model.fit(w.data, w.options);
  untouched.model.fit(untouched.data, untouched.options);
  EXPECT_EQ(w.asked, untouched.asked);
  EXPECT_EQ(w.model.get_weights(), untouched.model.get_weights());
}

TEST(Streams, AFitWithoutEpochsLeavesNoTrace) {
  Watched w, untouched;
  w.options.initial_epoch = 1000;
  w.model.fit(w.data, w.options);
  w.options.initial_epoch = 0;
  w.model.fit(w.data, w.options);
  untouched.model.fit(untouched.data, untouched.options);
  EXPECT_EQ(w.asked, untouched.asked);
}

TEST(Streams, InitialEpochSkipsTheStreamsOfEarlierEpochs) {
  Watched whole, late;
  whole.options.epochs = 3;
  whole.model.fit(whole.data, whole.options);
  late.options.epochs = 3;
  late.options.initial_epoch = 2;
  late.model.fit(late.data, late.options);
  EXPECT_EQ(late.asked, (std::vector<std::vector<Index>>{whole.asked[2]}));
  EXPECT_EQ(late.notes.back(), whole.notes.back());
}

// ---- Files ----

/// A model loaded from a file in which one part of the description is replaced.
Sequential loaded_with(const Sequential& model, const std::string& part, const std::string& by) {
  const TemporaryFolder folder;
  model.save(folder / "model");
  const SafetensorsFile file(folder / "model");
  SafetensorsMetadata metadata = file.metadata();
  std::string& text = metadata["cornu.model"];
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << text;
  text.replace(at, part.size(), by);
  const std::vector<std::byte> bytes = detail::safetensors_bytes(file.tensors(), metadata);
  return Sequential::load(SafetensorsFile(bytes, "file"));
}

TEST(Streams, OfAFileWithoutCountsContinueFromTheOptimizersSteps) {
  const Tensor x = normal({6, 4, 4, 1}), y = testing::labels(6);
  Sequential model = drawing_model(1);
  for (int i = 0; i < 3; ++i) model.train_on_batch(x, y);
  Sequential old = loaded_with(model, R"("seen":{"steps":3,"passes":0,"batches":0},)", "");
  model.train_on_batch(x, y);
  old.train_on_batch(x, y);
  EXPECT_EQ(old.get_weights(), model.get_weights());
}

TEST(Streams, ImpossibleCountsAreRefused) {
  Sequential model = drawing_model(1);
  EXPECT_EQ(error_of<FormatError>([&] { loaded_with(model, R"("seen":{"steps":0)", R"("seen":{"steps":-1)"); }),
            "file: seen: -1 steps, 0 passes, 0 batches; each must be from 0 to 1099511627776");
  // More batches of a pass than any dataset has: the skipped ones end with the pass.
  const std::string most = "1099511627776";
  Sequential far = loaded_with(model, R"("passes":0,"batches":0})", R"("passes":5,"batches":)" + most + "}");
  const TensorDataset data(normal({6, 4, 4, 1}), testing::labels(6));
  EXPECT_NO_THROW(far.fit(data, {.epochs = 2, .verbose = Verbose::silent, .initial_epoch = 1, .steps_per_epoch = 1}));
}

TEST(Streams, ABackupStoresTheCountsOfTheModelBeforeTheRun) {
  const TensorDataset data(normal({20, 4, 4, 1}), testing::labels(20));
  const FitOptions before{.batch_size = 6, .epochs = 2, .verbose = Verbose::silent};
  for (const Index save_freq : {0, 3}) {
    const TemporaryFolder folder;
    FitOptions options = before;
    options.epochs = 3;
    const auto trained = [&](std::vector<AnyCallback> callbacks) {
      Sequential model = drawing_model(1);
      model.fit(data, before);
      options.callbacks = std::move(callbacks);
      model.fit(data, options);
      return model.get_weights();
    };
    const std::vector<Tensor> whole = trained({});
    const BackupAndRestore backup{.backup_dir = folder / "backup", .save_freq = save_freq};
    struct Failing {
      Index left = 6;
      void on_train_batch_end(cornu::Run&, Index, Logs&) {
        if (--left == 0) throw ValueError("broken off");
      }
    };
    EXPECT_THROW(trained({backup, Failing{}}), ValueError);
    // After a restart, the program's model may have been trained less.
    Sequential fresh = drawing_model(1);
    options.callbacks = {backup, LambdaCallback{}};
    fresh.fit(data, options);
    EXPECT_EQ(fresh.get_weights(), whole) << save_freq;
  }
}

}  // namespace
}  // namespace cornu
