#include <gtest/gtest.h>

#include <thread>

#include "cornu/layers/regularization/dropout.h"
#include "cornu/tests/models/support.h"

// The same seed gives the same bits, and any number of threads may use one model.

namespace cornu {
namespace {

using testing::blobs;
using testing::normal;

std::vector<Tensor> trained_with_seeds(std::uint64_t model_seed, std::uint64_t fit_seed) {
  Sequential model({Input{2}, Dense{16, relu}, Dropout{0.3}, Dense{3}, Softmax{}}, {.seed = model_seed});
  model.compile({.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.9},
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}}});
  const TensorDataset data = blobs(100);
  model.fit(data,
            {.batch_size = 8, .epochs = 3, .verbose = Verbose::silent, .validation_split = 0.2, .seed = fit_seed});
  return model.get_weights();
}

TEST(Determinism, TheSameSeedGivesTheSameBitsInEveryWeight) {
  EXPECT_EQ(trained_with_seeds(1, 2), trained_with_seeds(1, 2));
}

TEST(Determinism, AnotherSeedGivesOtherWeights) {
  EXPECT_NE(trained_with_seeds(1, 2), trained_with_seeds(2, 2));
  EXPECT_NE(trained_with_seeds(1, 2), trained_with_seeds(1, 3));
}

TEST(Determinism, CallbacksAndValidationDoNotChangeTheBits) {
  const TensorDataset data = blobs(50);
  struct Curious {
    const TensorDataset* data;
    void on_train_batch_end(cornu::Run& run, Index, Logs&) {
      run.model.evaluate(*data);
      run.model.predict(data->x());
    }
  };
  Sequential watched{Input{2}, Dense{16, relu}, Dropout{0.3}, Dense{3}, Softmax{}};
  watched.compile({.loss = SparseCategoricalCrossentropy{}});
  Sequential alone = watched;
  const FitOptions options{.batch_size = 8, .epochs = 2, .verbose = Verbose::silent};
  alone.fit(data, options);
  FitOptions with_company = options;
  with_company.callbacks = {Curious{&data}};
  with_company.validation_data = data;
  watched.fit(data, with_company);
  EXPECT_EQ(watched.get_weights(), alone.get_weights());
}

// ---- Threads ----

constexpr std::size_t thread_count = 16;
constexpr int rounds = 10;

/// Calls action(thread number) in all threads at once.
template <class Action>
void in_threads(Action action) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < thread_count; ++i) threads.emplace_back(action, i);
  for (std::thread& thread : threads) thread.join();
}

Sequential image_model() {
  Sequential model{Input{20}, Dense{64, relu}, Dropout{0.5}, Sequential{Dense{32, relu}}, Dense{10}, Softmax{}};
  model.compile({.loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}, SparseCategoricalCrossentropy{}}});
  return model;
}

TEST(Threads, PredictingWithOneConstModelGiveTheSerialBits) {
  const Sequential model = image_model();
  const Tensor x = normal({70, 20});
  const Tensor serial = model.predict(x);
  std::vector<int> wrong(thread_count);
  in_threads([&](std::size_t i) {
    for (int round = 0; round < rounds; ++round) wrong[i] += model.predict(x) == serial ? 0 : 1;
  });
  EXPECT_EQ(wrong, std::vector<int>(thread_count));
}

TEST(Threads, EvaluatingOneConstModelGiveTheSerialBits) {
  const Sequential model = image_model();
  const TensorDataset data(normal({70, 20}), testing::labels(70, 10));
  const Logs serial = model.evaluate(data);
  std::vector<int> wrong(thread_count);
  in_threads([&](std::size_t i) {
    for (int round = 0; round < rounds; ++round) {
      const Logs logs = model.evaluate(data);
      for (const Logs::Entry& entry : serial) wrong[i] += logs[entry.name] == entry.value ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, std::vector<int>(thread_count));
}

TEST(Threads, EachWithItsOwnTapeGiveTheSerialBits) {
  const Sequential model = image_model();
  const Tensor x = normal({70, 20});
  const Tensor serial = model.predict(x, {.batch_size = 70});
  std::vector<int> wrong(thread_count);
  in_threads([&](std::size_t i) {
    Tape tape(Mode::inference);
    for (int round = 0; round < rounds; ++round) {
      tape.clear();
      wrong[i] += Tensor(model.forward(tape.input(x)).value()) == serial ? 0 : 1;
    }
  });
  EXPECT_EQ(wrong, std::vector<int>(thread_count));
}

TEST(Threads, GradientsOfOneConstModelAreTheSerialBits) {
  const Sequential model = image_model();
  const Tensor x = normal({70, 20}), y = testing::labels(70, 10);
  const auto gradient = [&](Tape& tape) {
    tape.clear();
    tape.rng() = Rng(4);
    const Var loss = sparse_categorical_crossentropy(model.forward(tape.input(x)), y);
    return Tensor(tape.backward(loss).entries()[0].gradient);
  };
  Tape first;
  const Tensor serial = gradient(first);
  std::vector<int> wrong(thread_count);
  in_threads([&](std::size_t i) {
    Tape tape;
    for (int round = 0; round < rounds; ++round) wrong[i] += gradient(tape) == serial ? 0 : 1;
  });
  EXPECT_EQ(wrong, std::vector<int>(thread_count));
}

TEST(Threads, EachTrainingACopyGiveTheSerialBits) {
  const Sequential model = image_model();
  const TensorDataset data(normal({70, 20}), testing::labels(70, 10));
  const auto fitted = [&] {
    Sequential copy = model;
    copy.fit(data, {.batch_size = 16, .epochs = 2, .verbose = Verbose::silent});
    return copy.get_weights();
  };
  const std::vector<Tensor> serial = fitted();
  std::vector<int> wrong(thread_count);
  in_threads([&](std::size_t i) { wrong[i] = fitted() == serial ? 0 : 1; });
  EXPECT_EQ(wrong, std::vector<int>(thread_count));
}

}  // namespace
}  // namespace cornu
