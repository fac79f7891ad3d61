#include <gtest/gtest.h>

#include <atomic>
#include <functional>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/models/distribution/shard_tree.h"
#include "cornu/optim/registry.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/thread_ranks.h"

// Several ranks train the model that one process trains. The ranks are threads here; tests/mpi has processes.

namespace cornu {
namespace {

using testing::ThreadRanks;

constexpr double tolerance = sizeof(Real) == 4 ? 2e-4 : 1e-10;

struct Trained {
  std::vector<Tensor> weights;
  History history;
  Logs evaluated;
  Tensor predicted;
};

/// Builds a model and trains it.
using Train = std::function<Trained(const FitOptions&)>;

Trained train(Sequential model, DatasetRef data, FitOptions options) {
  options.verbose = Verbose::silent;
  Trained result;
  result.history = model.fit(data, options);
  result.weights = model.get_weights();
  result.evaluated = model.evaluate(data, {.batch_size = 7, .distribution = options.distribution});
  result.predicted = model.predict(data, {.batch_size = 5, .distribution = options.distribution});
  return result;
}

std::vector<Trained> on_ranks(Index size, const Train& train, FitOptions options) {
  std::vector<Trained> results(static_cast<std::size_t>(size));
  const auto failures = ThreadRanks::run(size, [&](const Distribution& distribution) {
    FitOptions own = options;
    own.distribution = distribution;
    results[static_cast<std::size_t>(distribution.rank())] = train(own);
  });
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return results;
}

void expect_same_bits(const Trained& a, const Trained& b) {
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.history.history, b.history.history);
  EXPECT_EQ(a.evaluated["loss"], b.evaluated["loss"]);
  EXPECT_EQ(a.predicted, b.predicted);
}

void expect_near(const Trained& a, const Trained& b) {
  for (std::size_t i = 0; i < a.weights.size(); ++i) {
    for (Index k = 0; k < a.weights[i].size(); ++k) ASSERT_NEAR(a.weights[i][k], b.weights[i][k], tolerance) << i;
  }
  for (const auto& [name, values] : a.history.history) {
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], b.history[name][i], tolerance) << name;
  }
  for (const auto& [name, value] : a.evaluated) EXPECT_NEAR(value, b.evaluated[name], tolerance) << name;
}

/// One process, and 2, 3, 4 and 7 ranks, with and without a fixed order of sums.
void expect_any_ranks_train_alike(const Train& train, FitOptions options) {
  options.threads = 1;
  const Trained alone = train(options);
  options.reproducible = true;
  const Trained fixed = train(options);
  expect_near(alone, fixed);
  for (const Index threads : {2, 3}) {
    options.threads = threads;
    expect_same_bits(fixed, train(options));
  }
  for (const Index size : {2, 3, 4, 7}) {
    SCOPED_TRACE(size);
    options.threads = 1 + size % 2;
    options.reproducible = true;
    for (const Trained& rank : on_ranks(size, train, options)) expect_same_bits(fixed, rank);
    options.reproducible = false;
    const std::vector<Trained> ranks = on_ranks(size, train, options);
    for (const Trained& rank : ranks) expect_same_bits(ranks.front(), rank);
    expect_near(alone, ranks.front());
  }
}

TEST(Distribution, TrainsAnMlpWithDropoutAndClassWeights) {
  const TensorDataset data(testing::normal({75, 12}), testing::labels(75));
  expect_any_ranks_train_alike(
      [&](const FitOptions& options) {
        Sequential model({Input{12}, Dense{.units = 16, .activation = relu, .kernel_regularizer = L2{1e-2}},
                          Dropout{0.3}, Dense{3, softmax}},
                         {.seed = 3});
        model.compile({.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.9},
                       .loss = SparseCategoricalCrossentropy{},
                       .metrics = {Accuracy{}}});
        return train(std::move(model), data, options);
      },
      {.batch_size = 32, .epochs = 3, .validation_split = 0.2, .class_weight = {{1, 2}}, .shard_size = 4});
}

TEST(Distribution, TrainsAConvolutionalNetworkWithAugmentation) {
  const TensorDataset data(testing::normal({30, 12, 12, 1}), testing::labels(30));
  expect_any_ranks_train_alike(
      [&](const FitOptions& options) {
        Sequential model({Input{12, 12, 1}, RandomFlip{}, Conv2D{.filters = 4, .kernel_size = 3, .activation = relu},
                          MaxPooling2D{}, Flatten{}, Dense{3, softmax}},
                         {.seed = 3});
        model.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
        return train(std::move(model), data, options);
      },
      {.batch_size = 15, .epochs = 2, .shard_size = 2});
}

TEST(Distribution, TrainsAnLstm) {
  const TensorDataset data(testing::normal({26, 6, 3}), testing::labels(26));
  expect_any_ranks_train_alike(
      [&](const FitOptions& options) {
        Sequential model({Input{6, 3}, LSTM{.units = 5}, Dense{3, softmax}}, {.seed = 3});
        model.compile({.optimizer = RMSprop{}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
        return train(std::move(model), data, options);
      },
      {.batch_size = 13, .epochs = 2, .shard_size = 3});
}

TEST(Distribution, TrainsWithEveryOptimizer) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  for (const std::string& name : detail::optimizer_registry().names()) {
    SCOPED_TRACE(name);
    const AnyOptimizer rule =
        value_of<AnyOptimizer>(parse_json(R"({"class_name": ")" + name + R"(", "config": {}, "extras": {}})"));
    const auto train_with = [&](const FitOptions& options) {
      Sequential model({Input{4}, Dense{8, tanh}, Dense{3, softmax}}, {.seed = 3});
      model.compile({.optimizer = rule, .loss = SparseCategoricalCrossentropy{}});
      return train(std::move(model), data, options);
    };
    FitOptions options{.batch_size = 12, .epochs = 2, .threads = 1, .shard_size = 2, .reproducible = true};
    const Trained alone = train_with(options);
    for (const Trained& rank : on_ranks(3, train_with, options)) expect_same_bits(alone, rank);
  }
}

/// Blocks of the gradients are summed while the backward pass goes on.
TEST(Distribution, SumsLargeGradientsInBlocks) {
  const TensorDataset data(testing::normal({16, 600}), testing::labels(16));
  const auto train_large = [&](const FitOptions& options) {
    Sequential model({Input{600}, Dense{600, relu}, Dense{600, relu}, Dense{3, softmax}}, {.seed = 3});
    model.compile({.optimizer = SGD{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{}});
    return train(std::move(model), data, options);
  };
  FitOptions options{.batch_size = 8, .threads = 1, .shard_size = 2};
  const Trained alone = train_large(options);
  for (const Index size : {2, 3, 5}) expect_near(alone, on_ranks(size, train_large, options).front());
}

/// A model that mixes samples: each rank normalizes its own part of a batch, and the moving averages are those of all.
TEST(Distribution, NormalizesThePartsOfABatch) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  const auto train_normalized = [&](const FitOptions& options) {
    Sequential model({Input{4}, BatchNormalization{}, Dense{3, softmax}}, {.seed = 3});
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
    return train(std::move(model), data, options);
  };
  const Trained alone = train_normalized({.batch_size = 24});
  const std::vector<Trained> ranks = on_ranks(2, train_normalized, {.batch_size = 24, .shard_size = 4});
  expect_same_bits(ranks[0], ranks[1]);
  // The mean of all is the mean of the parts' means.
  for (Index i = 0; i < 4; ++i) EXPECT_NEAR(ranks[0].weights[2][i], alone.weights[2][i], 1e-6);
  testing::expect_error<ValueError>(
      [&] { on_ranks(2, train_normalized, {.batch_size = 24, .shard_size = 4, .reproducible = true}); },
      "fit, epoch 1 of 1, batch 1 of 1: the model mixes the samples of a batch (BatchNormalization does), so that "
      "the result depends on the number of ranks; set .reproducible = false");
}

/// Synchronized, they are normalized as a whole.
TEST(Distribution, SynchronizedNormalizationTrainsAsOneProcess) {
  Tensor x = testing::normal({41, 6, 4});
  for (Index i = 0; i < x.size(); ++i) x[i] = i / 4 % 5 == 0 ? 0 : x[i];  // every fifth step
  const TensorDataset data(x, testing::labels(41));
  for (const double value : {1e9, 0.0}) {  // masks no step, and these
    const auto train_normalized = [&](const FitOptions& options) {
      Sequential model({Input{6, 4}, Masking{.mask_value = value}, Dense{5, relu},
                        BatchNormalization{.synchronized = true}, GlobalAveragePooling1D{}, Dense{3, softmax}},
                       {.seed = 3});
      model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
      return train(std::move(model), data, options);
    };
    FitOptions options{.batch_size = 19, .epochs = 2, .threads = 1};
    const Trained alone = train_normalized(options);
    options.shard_size = 4;
    for (const Index size : {2, 3, 4}) {  // the last batch has 3 samples
      const std::vector<Trained> ranks = on_ranks(size, train_normalized, options);
      expect_near(alone, ranks.front());
      for (const Trained& rank : ranks) expect_same_bits(ranks.front(), rank);
    }
  }
}

/// Each rank has its own samples, in parts of different sizes. Without shuffling, every batch of all ranks has the
/// samples that one process is given here in that order.
TEST(Distribution, TrainsOnDataInParts) {
  constexpr Index sizes[] = {21, 8, 2}, all = 31, batch_size = 8, batches = 4;
  const Tensor x = testing::normal({all, 4}), y = testing::labels(all);
  Tensor in_order_x(x.shape()), in_order_y(y.shape());
  std::vector<Index> ends;
  Index to = 0;
  for (Index batch = 0; batch < batches; ++batch) {
    Index first = 0;
    for (const Index size : sizes) {
      for (Index i = size * batch / batches; i < size * (batch + 1) / batches; ++i, ++to) {
        for (Index k = 0; k < 4; ++k) in_order_x[to * 4 + k] = x[(first + i) * 4 + k];
        in_order_y[to] = y[first + i];
      }
      first += size;
    }
    ends.push_back(to);
  }
  const auto make = [] {
    Sequential model({Input{4}, Dense{6, tanh}, Dense{3, softmax}}, {.seed = 3});
    model.compile({.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.9},
                   .loss = SparseCategoricalCrossentropy{},
                   .metrics = {Accuracy{}}});
    return model;
  };
  Sequential alone = make();
  for (Index epoch = 0, first = 0; epoch < 2; ++epoch, first = 0) {
    for (const Index end : ends) {
      const Index n = end - first;
      alone.train_on_batch(Tensor(ConstView(in_order_x.data() + first * 4, {n, 4})),
                           Tensor(ConstView(in_order_y.data() + first, {n})));
      first = end;
    }
  }
  std::vector<Trained> ranks(3);
  const auto failures = ThreadRanks::run(3, [&](const Distribution& distribution) {
    const Index rank = distribution.rank(), first = rank == 0 ? 0 : rank == 1 ? 21 : 29;
    const TensorDataset part(Tensor(ConstView(x.data() + first * 4, {sizes[rank], 4})),
                             Tensor(ConstView(y.data() + first, {sizes[rank]})));
    Sequential model = make();
    Trained& result = ranks[static_cast<std::size_t>(rank)];
    result.history = model.fit(part, {.batch_size = batch_size,
                                      .epochs = 2,
                                      .verbose = Verbose::silent,
                                      .shuffle = false,
                                      .shard_size = 2,
                                      .distribution = distribution,
                                      .data_in_parts = true});
    result.weights = model.get_weights();
    result.evaluated = model.evaluate(part, {.batch_size = 4, .distribution = distribution, .data_in_parts = true});
  });
  for (const std::exception_ptr& failure : failures) EXPECT_EQ(failure, nullptr);
  const std::vector<Tensor> expected = alone.get_weights();
  const Logs evaluated = alone.evaluate(x, y);
  for (const Trained& rank : ranks) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      for (Index k = 0; k < expected[i].size(); ++k) ASSERT_NEAR(rank.weights[i][k], expected[i][k], tolerance);
    }
    for (const auto& [name, value] : evaluated) EXPECT_NEAR(rank.evaluated[name], value, tolerance) << name;
  }
}

/// After one step together, each rank takes its own steps, and their weights are averaged.
TEST(Distribution, AveragesTheWeightsOfLocalSteps) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  const auto make = [] {
    Sequential model({Input{4}, Dense{.units = 3, .activation = softmax, .kernel_regularizer = L2{0.1}}}, {.seed = 3});
    model.compile({.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.9}, .loss = SparseCategoricalCrossentropy{}});
    return model;
  };
  const FitOptions options{.batch_size = 8, .shuffle = false, .threads = 1, .shard_size = 2, .average_every = 5};
  const std::vector<Trained> ranks = on_ranks(
      2, [&](const FitOptions& own) { return train(make(), data, own); }, options);
  expect_same_bits(ranks[0], ranks[1]);
  // Batch 0 together; batches 1 and 2 apart, halves of 4 samples; then the end of the epoch.
  const auto part = [&](const Tensor& x, Index first, Index count) {
    const Index size = x.size() / x.shape()[0];
    return Tensor(ConstView(x.data() + first * size, x.shape().with(0, count)));
  };
  std::vector<std::vector<Tensor>> apart;
  for (const Index rank : {0, 1}) {
    Sequential model = make();
    model.train_on_batch(part(data.x(), 0, 8), part(data.y(), 0, 8));
    for (const Index batch : {1, 2}) {
      const Index first = batch * 8 + rank * 4;
      model.train_on_batch(part(data.x(), first, 4), part(data.y(), first, 4));
    }
    apart.push_back(model.get_weights());
  }
  for (std::size_t i = 0; i < 2; ++i) {
    for (Index k = 0; k < apart[0][i].size(); ++k) {
      EXPECT_NEAR(ranks[0].weights[i][k], (apart[0][i][k] + apart[1][i][k]) / 2, tolerance);
    }
  }
}

TEST(Distribution, ALossThatIsNotFiniteOnOneRankIsAnErrorOnAll) {
  Tensor x = testing::normal({24, 4});
  x[23 * 4] = std::numeric_limits<Real>::quiet_NaN();
  const TensorDataset data(x, testing::labels(24));
  for (const Index average_every : {0, 2}) {
    const auto failures = ThreadRanks::run(3, [&](const Distribution& distribution) {
      Sequential model({Input{4}, Dense{3, softmax}});
      model.compile({.loss = SparseCategoricalCrossentropy{}});
      model.fit(data, {.batch_size = 8,
                       .verbose = Verbose::silent,
                       .shuffle = false,
                       .shard_size = 2,
                       .distribution = distribution,
                       .average_every = average_every});
    });
    for (const std::exception_ptr& failure : failures) {
      testing::expect_error<NonFiniteError>(
          [&] { std::rethrow_exception(failure); },
          "sequential: fit: the loss is nan in epoch 1 of 1, batch 3 of 3: the input itself is not finite");
    }
  }
}

TEST(Distribution, StartsWithTheWeightsOfRankZero) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  std::atomic<int> next = 0;
  const auto train_own = [&](const FitOptions& options) {
    Sequential model({Input{4}, Dense{3, softmax}}, {.seed = static_cast<std::uint64_t>(++next)});
    model.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}});
    return train(std::move(model), data, options);
  };
  const std::vector<Trained> ranks = on_ranks(3, train_own, {.shard_size = 2});
  for (const Trained& rank : ranks) expect_same_bits(ranks.front(), rank);
}

/// Called on rank 0, and decides for all.
TEST(Distribution, CallbacksOfRankZeroDecideForAll) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  std::atomic<int> calls = 0;
  const auto train_stopped = [&](const FitOptions& given) {
    FitOptions options = given;
    options.callbacks = {LambdaCallback{.on_epoch_end = [&](cornu::Run& run, Index epoch, Logs& logs) {
      ++calls;
      logs.set("mine", 1);
      run.model.optimizer().set_learning_rate(0.5);
      std::vector<Tensor> weights = run.model.get_weights();
      weights[0][0] = 7;
      run.model.set_weights(weights);
      run.stop_training = epoch == 1;
    }}};
    Sequential model({Input{4}, Dense{3, softmax}}, {.seed = 3});
    model.compile({.optimizer = SGD{}, .loss = SparseCategoricalCrossentropy{}});
    Trained result = train(model, data, options);
    return result;
  };
  const std::vector<Trained> ranks = on_ranks(3, train_stopped, {.epochs = 5, .shard_size = 2});
  EXPECT_EQ(calls, 2);
  for (const Trained& rank : ranks) {
    expect_same_bits(ranks.front(), rank);
    EXPECT_EQ(rank.history["mine"].size(), 2U);
    EXPECT_EQ(rank.weights[0][0], 7);
  }
}

/// Replaces the model by a wider one after the first epoch.
struct Widens {
  static constexpr bool on_every_rank = true;
  static Sequential model(Index units) {
    Sequential result({Input{4}, Dense{units, relu}, Dense{3, softmax}}, {.seed = 3});
    result.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}});
    return result;
  }
  void on_epoch_end(Run& run, Index epoch, Logs&) const {
    if (epoch == 0) run.model = model(9);
  }
};

struct CountsEnds {
  int* ends;
  void on_train_end(Run&, Logs&) const { ++*ends; }
};

TEST(Distribution, CallbacksMayReplaceTheModel) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  int ends = 0;
  const auto train_wider = [&](const FitOptions& given) {
    FitOptions options = given;
    options.callbacks = {Widens{}};
    if (options.distribution.rank() == 0) options.callbacks.push_back(CountsEnds{&ends});
    return train(Widens::model(5), data, options);
  };
  const FitOptions options{.batch_size = 12, .epochs = 3, .threads = 1, .shard_size = 2, .reproducible = true};
  const Trained alone = train_wider(options);
  EXPECT_EQ(ends, 1);
  for (const Trained& rank : on_ranks(3, train_wider, options)) expect_same_bits(alone, rank);
  EXPECT_EQ(ends, 2);
}

/// Throws for one sample.
struct Damaged {
  Index size() const { return 24; }
  Shape feature_shape() const { return {4}; }
  void gather(std::span<const Index> rows, View x, View y) const {
    std::fill(x.begin(), x.end(), Real{1});
    std::fill(y.begin(), y.end(), Real{0});
    for (const Index row : rows) require<FileError>(row != 20, "sample 20 is damaged");
  }
};

TEST(Distribution, ErrorsOfOneRankEndAll) {
  const Damaged data;
  const auto failures = ThreadRanks::run(3, [&](const Distribution& distribution) {
    Sequential model({Input{4}, Dense{3, softmax}});
    model.compile({.loss = SparseCategoricalCrossentropy{}});
    model.fit(data, {.batch_size = 24,
                     .verbose = Verbose::silent,
                     .shuffle = false,
                     .shard_size = 8,
                     .distribution = distribution});
  });
  const std::string where = "fit, epoch 1 of 1, batch 1 of 1: ",
                    what = "the shard starting at sample 16: sample 20 is damaged";
  for (std::size_t rank : {0U, 1U}) {
    testing::expect_error<PeerError>([&] { std::rethrow_exception(failures[rank]); }, where + "rank 2 of 3: " + what);
  }
  testing::expect_error<FileError>([&] { std::rethrow_exception(failures[2]); }, where + what);
}

TEST(Distribution, DifferentOptionsAreErrorsThatNameTheRank) {
  const TensorDataset data(testing::normal({24, 4}), testing::labels(24));
  const auto failures = ThreadRanks::run(3, [&](const Distribution& distribution) {
    Sequential model({Input{4}, Dense{3, softmax}});
    model.compile({.loss = SparseCategoricalCrossentropy{}});
    model.fit(
        data,
        {.batch_size = distribution.rank() == 1 ? 12 : 24, .verbose = Verbose::silent, .distribution = distribution});
  });
  for (const std::exception_ptr& failure : failures) {
    testing::expect_error<ValueError>([&] { std::rethrow_exception(failure); },
                                      "rank 1 of 3 differs from rank 0: batch_size is 12, not 24");
  }
}

TEST(ShardTree, AddsInTheSameOrderOnAnyRanks) {
  for (const Index shards : {1, 2, 3, 5, 8, 13, 31}) {
    const auto sum_on = [&](Index size) {
      std::vector<Real> result(2);
      ThreadRanks::run(size, [&](const Distribution& distribution) {
        const detail::Ranks ranks(distribution);
        detail::ShardTree tree;
        tree.start(2);
        for (Index i = shards * ranks.rank() / size; i < shards * (ranks.rank() + 1) / size; ++i) {
          const std::span<Real> row = tree.next();
          row[0] = Real{1} / static_cast<Real>(3 + i);
          row[1] = 1;
          tree.add(static_cast<std::size_t>(i));
        }
        std::vector<Real> total(2);
        tree.sum(ranks, total);
        if (ranks.leads()) result = total;
      });
      return result;
    };
    const std::vector<Real> one = sum_on(1);
    EXPECT_EQ(one[1], static_cast<Real>(shards));
    for (const Index size : {2, 3, 4, 7, 40}) EXPECT_EQ(sum_on(size), one) << shards << " on " << size;
  }
}

}  // namespace
}  // namespace cornu
