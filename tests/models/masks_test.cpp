// Masked steps do not count: a batch of padded sequences gives what the sequences without padding give one by one.

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/cornu.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/tensors.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::normal;

constexpr double mask_tolerance = std::is_same_v<Real, double> ? 1e-11 : 2e-6;

/// Padded sequences, and which steps are padding.
struct Padded {
  static constexpr Index samples = 6, steps = 7, features = 3;
  Tensor x = normal({samples, steps, features}, 11);
  std::vector<std::vector<Index>> counted{{0, 1, 2, 3, 4, 5, 6}, {0, 1, 2}, {3, 4, 5, 6}, {0, 2, 5}, {6}, {1}};

  Padded() {
    for (Index i = 0; i < samples; ++i) {
      for (Index t = 0; t < steps; ++t) {
        if (!counts(i, t)) std::fill_n(x.data() + (i * steps + t) * features, features, Real{0});
      }
    }
  }
  bool counts(Index i, Index t) const {
    const std::vector<Index>& own = counted[static_cast<std::size_t>(i)];
    return std::find(own.begin(), own.end(), t) != own.end();
  }
  Index length(Index i) const { return std::ssize(counted[static_cast<std::size_t>(i)]); }
  Index all() const {
    Index result = 0;
    for (Index i = 0; i < samples; ++i) result += length(i);
    return result;
  }
  /// Sample i of values for each step, (samples, steps, ...), without padding.
  Tensor alone(const Tensor& values, Index i) const {
    const Shape row = values.shape().sub(2);
    Tensor result(row.batched(length(i)).batched(1));
    Real* to = result.data();
    for (const Index t : counted[static_cast<std::size_t>(i)]) {
      to = std::copy_n(values.data() + (i * steps + t) * row.size(), row.size(), to);
    }
    return result;
  }
};

Sequential with_masking(std::vector<AnyLayer> layers) {
  Sequential model{Input{-1, Padded::features}, Masking{}};
  for (AnyLayer& layer : layers) model.add(std::move(layer));
  return model;
}

struct MaskCase {
  const char* name;
  std::vector<AnyLayer> layers;
};

/// A user's layer of ops.
struct Gated {
  AnyLayer a = Dense{4, tanh}, b = Dense{4, sigmoid};
  Var forward(Var x) const { return a(x) * b(x) + 1; }
  NamedLayers layers() { return {{"a", &a}, {"b", &b}}; }
};

std::vector<MaskCase> mask_cases() {
  const LSTM lstm{.units = 4, .return_sequences = true};
  return {
      {"dense", {Dense{4, relu}, Dense{2}}},
      {"lstm", {LSTM{.units = 4}, Dense{2}}},
      {"lstm_sequences", {lstm, Dense{2}}},
      {"two_lstm", {lstm, LSTM{.units = 3}}},
      {"lstm_backwards", {LSTM{.units = 4, .go_backwards = true}}},
      {"lstm_softplus", {LSTM{.units = 4, .activation = softplus, .return_sequences = true}, Dense{2}}},
      {"gru", {GRU{.units = 4}, Dense{2}}},
      {"gru_sequences", {GRU{.units = 4, .return_sequences = true}, Dense{2}}},
      {"gru_reset_before", {GRU{.units = 4, .return_sequences = true, .reset_after = false}}},
      {"simple_rnn", {SimpleRNN{.units = 4, .return_sequences = true}, Dense{2}}},
      {"bidirectional", {Bidirectional(lstm), Dense{2}}},
      {"bidirectional_last", {Bidirectional(GRU{.units = 4}, MergeMode::sum)}},
      {"two_bidirectional", {Bidirectional(lstm), Bidirectional(GRU{.units = 2})}},
      {"attention", {MultiHeadAttention{.num_heads = 2, .key_dim = 3}, Dense{2}}},
      {"average", {Dense{4, tanh}, GlobalAveragePooling1D{}, Dense{2}}},
      {"maximum", {Dense{4, tanh}, GlobalMaxPooling1D{.keepdims = true}, Dense{2}}},
      {"normalization", {LayerNormalization{}, Residual{{Dense{3, gelu}}}, Softmax{}}},
      {"time_distributed", {Reshape{{-1, 3, 1}}, TimeDistributed{Flatten{}}, lstm}},
      {"layer_of_ops", {Gated{}, LSTM{.units = 2}}},
      {"nested", {Sequential{Dense{3}, Sequential{Dropout{0.0}, lstm}}, Concatenate({{}, {Dense{2}}})}},
  };
}

void expect_near(const ConstView& given, const ConstView& wanted, const std::string& what) {
  ASSERT_EQ(given.shape(), wanted.shape()) << what;
  for (Index i = 0; i < given.size(); ++i) {
    ASSERT_NEAR(given[i], wanted[i], mask_tolerance * std::max(1.0, std::abs(static_cast<double>(wanted[i]))))
        << what << ", element " << i;
  }
}

TEST(Masks, PredictionsAreThoseOfEachSequenceAlone) {
  const Padded data;
  for (const MaskCase& which : mask_cases()) {
    SCOPED_TRACE(which.name);
    const Sequential model = with_masking(which.layers);
    const Tensor together = model.predict(data.x);
    const bool has_steps = model.output_shape().rank() == 2 && model.output_shape()[0] == 0;
    for (Index i = 0; i < Padded::samples; ++i) {
      const Tensor alone = model.predict(data.alone(data.x, i));
      const Shape one = together.shape().with(0, 1);
      const Tensor mine(ConstView(together.data() + i * one.size(), one));
      expect_near(has_steps ? data.alone(together, i) : mine, alone, message("sample {}", i));
    }
  }
}

/// The weights after a step: the gradient of a batch is the mean over its counted steps, or its samples.
TEST(Masks, AStepIsThatOfTheSequencesAlone) {
  const Padded data;
  for (const MaskCase& which : mask_cases()) {
    SCOPED_TRACE(which.name);
    Sequential model = with_masking(which.layers);
    model.compile(
        {.optimizer = SGD{.learning_rate = 0.1}, .loss = MeanSquaredError{}, .metrics = {MeanAbsoluteError{}}});
    const bool has_steps = model.output_shape().rank() == 2 && model.output_shape()[0] == 0;
    const Tensor y = normal(model.predict(data.x).shape(), 12);

    std::vector<Tensor> expected = model.get_weights();
    double loss = 0, error = 0;
    for (Index i = 0; i < Padded::samples; ++i) {
      const double share =
          has_steps ? static_cast<double>(data.length(i)) / static_cast<double>(data.all()) : 1.0 / Padded::samples;
      const Shape one = y.shape().with(0, 1);
      const Tensor target = has_steps ? data.alone(y, i) : Tensor(ConstView(y.data() + i * one.size(), one));
      Tape tape;
      const Tensor x = data.alone(data.x, i);
      const Var predicted = with_mask(model.forward(tape.input(x)), {});
      const Var mse = MeanSquaredError{}(predicted, target);
      loss += share * static_cast<double>(mse.item());
      error += share * static_cast<double>(mean(abs(predicted - tape.input(target))).item());
      const Gradients gradients = tape.backward(mse);
      std::size_t at = 0;
      for (const auto& [name, parameter] : std::as_const(model).parameters()) {
        Tensor& weight = expected[at++];
        const View gradient = gradients[*parameter];
        for (Index k = 0; k < weight.size(); ++k) weight[k] -= static_cast<Real>(0.1 * share) * gradient[k];
      }
    }
    EXPECT_NEAR(model.evaluate(data.x, y)["loss"], loss, mask_tolerance * std::max(1.0, loss));
    Sequential fitted = model, in_shards = model;
    const Logs& logs = model.train_on_batch(data.x, y);
    EXPECT_NEAR(logs["loss"], loss, mask_tolerance * std::max(1.0, loss));
    EXPECT_NEAR(logs["mean_absolute_error"], error, mask_tolerance * std::max(1.0, error));
    fitted.fit(data.x, y, {.verbose = Verbose::silent});
    in_shards.fit(data.x, y, {.verbose = Verbose::silent, .threads = 2, .shard_size = 2});
    for (std::size_t k = 0; k < expected.size(); ++k) {
      expect_near(model.get_weights()[k], expected[k], "train_on_batch");
      expect_near(fitted.get_weights()[k], expected[k], "fit");
      expect_near(in_shards.get_weights()[k], expected[k], "fit in shards");
    }
  }
}

/// Statistics of a batch are those of its counted steps, here as one sequence.
TEST(Masks, BatchNormalizationLeavesThemOut) {
  const Padded data;
  Tensor row(Shape{1, data.all(), Padded::features});
  Real* to = row.data();
  for (Index i = 0; i < Padded::samples; ++i) {
    const Tensor alone = data.alone(data.x, i);
    to = std::copy_n(alone.data(), alone.size(), to);
  }
  Sequential model = with_masking({BatchNormalization{}, Dense{2}}), other = model;
  const Tensor y = normal({Padded::samples, Padded::steps, 2}, 3);
  Tensor of_row(Shape{1, data.all(), 2});
  to = of_row.data();
  for (Index i = 0; i < Padded::samples; ++i) {
    const Tensor alone = data.alone(y, i);
    to = std::copy_n(alone.data(), alone.size(), to);
  }
  for (Sequential* const each : {&model, &other}) {
    each->compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = MeanSquaredError{}});
  }
  model.train_on_batch(data.x, y);
  other.train_on_batch(row, of_row);
  for (std::size_t k = 0; k < model.get_weights().size(); ++k) {
    expect_near(model.get_weights()[k], other.get_weights()[k], message("weight {}", k));
  }
  // A batch without any step changes nothing.
  const std::vector<Tensor> before = model.get_weights();
  EXPECT_EQ(model.train_on_batch(Tensor(data.x.shape()), y)["loss"], 0);
  EXPECT_EQ(model.get_weights(), before);
}

TEST(Masks, LossesAndMetricsSeeOnlyWhatCounts) {
  const Padded data;
  Sequential model = with_masking({Dense{4}, Softmax{}});
  model.compile({.loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}, F1Score{}, MeanIoU{.num_classes = 4, .sparse_y_pred = false}},
                 .weighted_metrics = {Accuracy{}}});
  Tensor y(Shape{Padded::samples, Padded::steps}), weights = testing::uniform(y.shape(), 5, 0, 2);
  for (Index i = 0; i < y.size(); ++i) y[i] = static_cast<Real>(i % 4);
  // As one sequence without padding.
  Tensor x_row(Shape{1, data.all(), Padded::features}), y_row(Shape{1, data.all()}), w_row(Shape{1, data.all()});
  Index at = 0;
  for (Index i = 0; i < Padded::samples; ++i) {
    for (Index t = 0; t < Padded::steps; ++t) {
      if (!data.counts(i, t)) {
        y.at({i, t}) = -1;  // no label, and not looked at
        continue;
      }
      for (Index k = 0; k < Padded::features; ++k) x_row.at({0, at, k}) = data.x.at({i, t, k});
      y_row.at({0, at}) = y.at({i, t});
      w_row.at({0, at}) = weights.at({i, t});
      ++at;
    }
  }
  const Logs padded = model.evaluate(data.x, y, {.sample_weight = weights}),
             alone = model.evaluate(x_row, y_row, {.sample_weight = w_row});
  ASSERT_EQ(std::distance(padded.begin(), padded.end()), 5);
  for (const Logs::Entry& entry : padded) EXPECT_NEAR(entry.value, alone[entry.name], 1e-6) << entry.name;
  // A weight for each sample is that of all its steps.
  Tensor of_samples = testing::uniform({Padded::samples}, 6, 0, 2), of_steps(y.shape());
  for (Index i = 0; i < y.size(); ++i) of_steps[i] = of_samples[i / Padded::steps];
  EXPECT_EQ(model.evaluate(data.x, y, {.sample_weight = of_samples})["loss"],
            model.evaluate(data.x, y, {.sample_weight = of_steps})["loss"]);
  EXPECT_EQ(
      error_of<ShapeError>([&] {
        (void)model.evaluate(data.x, Tensor(Shape{Padded::samples, 1}));
      }),
      "targets are (6, 1) and predictions (6, 7, 4); the predictions have a mask, so targets for each step, (batch, "
      "steps, ...), are required");
}

TEST(Masks, AnEmbeddingMasksIndexZero) {
  Sequential model{Input{-1}, Embedding{.input_dim = 5, .output_dim = 3, .mask_zero = true},
                   Bidirectional(LSTM{.units = 4, .return_sequences = true}), GlobalAveragePooling1D{}};
  const Tensor padded = Tensor::matrix({{1, 4, 2, 0, 0}, {0, 0, 3, 0, 1}}), first = Tensor::matrix({{1, 4, 2}}),
               second = Tensor::matrix({{3, 1}});
  const Tensor y = model.predict(padded), y_first = model.predict(first), y_second = model.predict(second);
  for (Index k = 0; k < 8; ++k) {
    EXPECT_NEAR(y[k], y_first[k], mask_tolerance);
    EXPECT_NEAR(y[8 + k], y_second[k], mask_tolerance);
  }
}

TEST(Masks, ClassWeightsIgnoreThem) {
  const Padded data;
  for (const bool one_hot_targets : {false, true}) {
    Sequential model = with_masking({Dense{3}, Softmax{}}), other = model;
    Tensor y(Shape{Padded::samples, Padded::steps}), weights(y.shape());
    for (Index i = 0; i < y.size(); ++i) {
      y[i] = data.counts(i / Padded::steps, i % Padded::steps) ? static_cast<Real>(i % 3) : Real{-1};
      weights[i] = y[i] == 2 ? Real{5} : Real{1};
    }
    AnyLoss loss = SparseCategoricalCrossentropy{};
    if (one_hot_targets) {
      Tensor rows(Shape{Padded::samples, Padded::steps, 3});  // padded with zeros
      for (Index i = 0; i < y.size(); ++i) {
        if (y[i] >= 0) rows[3 * i + static_cast<Index>(y[i])] = 1;
      }
      y = rows;
      loss = CategoricalCrossentropy{};
    }
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = loss});
    other.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = loss});
    model.fit(data.x, y, {.verbose = Verbose::silent, .class_weight = {{2, 5.0}}});
    other.fit(data.x, y, {.verbose = Verbose::silent, .sample_weight = weights});
    EXPECT_EQ(model.get_weights(), other.get_weights());
  }
}

TEST(Masks, ATrainableHeaderWouldCountThem) {
  Sequential model = with_masking({Dense{2}});
  model.compile({.loss = MeanSquaredError{}});
  model.build({Padded::steps, Padded::features});
  EXPECT_NE(error_of<ValueError>([&] {
              (void)to_cpp(model, {.trainable = true});
            }).find("the output has a mask; a trainable header would count masked steps"),
            std::string::npos);
}

TEST(Masks, AttentionJoinsThoseOfValueAndKey) {
  MultiHeadAttention layer{.num_heads = 2, .key_dim = 3};
  Rng rng(1);
  layer.build({4, 3}, {5, 3}, {5, 3}, rng);
  const Tensor q = normal({1, 4, 3}, 1), v = normal({1, 5, 3}, 2), k = normal({1, 5, 3}, 3);
  const Tensor of_value = Tensor::matrix({{1, 1, 1, 0, 1}}), of_key = Tensor::matrix({{0, 1, 1, 1, 1}}),
               both = Tensor::matrix({{0, 1, 1, 0, 1}});
  Tape tape(Mode::inference);
  const Var joined = layer.forward(tape.input(q), with_mask(tape.input(v), tape.input(of_value)),
                                   with_mask(tape.input(k), tape.input(of_key))),
            given = layer.attend(tape.input(q), tape.input(v), tape.input(k), {.keys = tape.input(both)}).y,
            partly = layer
                         .attend(tape.input(q), tape.input(v), with_mask(tape.input(k), tape.input(of_key)),
                                 {.keys = tape.input(of_value)})
                         .y;
  EXPECT_EQ(Tensor(joined.value()), Tensor(given.value()));
  EXPECT_EQ(Tensor(partly.value()), Tensor(given.value()));
}

std::vector<std::string> warnings;

/// Mixes the steps of x, and gives the result its mask.
struct SqueezeAndExcite {
  Var forward(Var x) const { return x * reshape(mean(x, 1), {x.shape()[0], 1, x.shape()[2]}); }
};
struct LastStep {
  Var forward(Var x) const {
    const Index steps = x.shape()[1];
    return reshape(slice_axis(x, 1, steps - 1, steps), {x.shape()[0], x.shape()[2]});
  }
};
struct Unmasked {
  Var forward(Var x) const { return with_mask(x, {}); }
};

TEST(Masks, ALayerThatDropsThemIsReportedOnce) {
  warnings.clear();
  const WarningHandler before = set_warning_handler([](std::string_view text) { warnings.emplace_back(text); });
  const Padded data;
  const std::vector<std::vector<AnyLayer>> models{
      {AnyLayer("drops_1", Conv1D{.filters = 2, .kernel_size = 2})},
      {AnyLayer("drops_2", SqueezeAndExcite{})},
      {AnyLayer("drops_3", LastStep{})},
      {Dense{1}, AnyLayer("drops_4", LastStep{})},  // the result has as many features as steps
      {Dense{1}, AnyLayer("drops_5", Flatten{})},
      {AnyLayer("heeds", Sequential{Dense{2}, LSTM{.units = 2}})},
      {AnyLayer("heeds", TimeDistributed{Dense{2}}), LayerNormalization{}, GlobalMaxPooling1D{}},
      {AnyLayer("heeds", Unmasked{}), Conv1D{.filters = 2, .kernel_size = 2}}};
  for (int i = 0; i < 2; ++i) {
    for (const std::vector<AnyLayer>& layers : models) {
      Sequential model = with_masking(layers);
      model.build({Padded::steps, Padded::features});
      (void)model.predict(data.x);
    }
  }
  set_warning_handler(before);
  const auto warning = [](const char* layer) {
    return std::string(layer) + " does not heed the mask of its input; padding counts from there on";
  };
  EXPECT_EQ(warnings, (std::vector<std::string>{warning("drops_1 (Conv1D)"), warning("drops_2 (SqueezeAndExcite)"),
                                                warning("drops_3 (LastStep)"), warning("drops_4 (LastStep)"),
                                                warning("drops_5 (Flatten)")}));
}

/// Also for the thread sanitizer.
TEST(Masks, OneModelServesSeveralThreads) {
  const Padded data;
  for (const MaskCase& which : mask_cases()) {
    SCOPED_TRACE(which.name);
    const Sequential model = with_masking(which.layers);
    const Tensor expected = model.predict(data.x);
    std::vector<Tensor> made(4);
    std::vector<std::thread> threads;
    for (Tensor& y : made) {
      threads.emplace_back([&] {
        for (int i = 0; i < 3; ++i) y = model.predict(data.x);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Tensor& y : made) EXPECT_EQ(y, expected);
  }
}

TEST(Masks, AStreamOfAttentionIsThatOfPredictAtEveryStep) {
  const WarningHandler before = set_warning_handler(nullptr);  // the convolution does not heed the mask
  const Padded data;
  Sequential model = with_masking({MultiHeadAttention{.num_heads = 1, .key_dim = 2, .use_causal_mask = true},
                                   Conv1D{.filters = 2, .kernel_size = 2, .padding = Padding::causal}});
  model.build({Padded::steps, Padded::features});
  const Tensor expected = model.predict(data.x);
  Stream stream(model);
  for (Index i = 0; i < Padded::samples; ++i) {
    stream.reset();
    std::vector<Real> y(static_cast<std::size_t>(Padded::steps * 2));
    stream.step(std::span(data.x.data() + i * Padded::steps * Padded::features,
                          static_cast<std::size_t>(Padded::steps * Padded::features)),
                y);
    for (std::size_t k = 0; k < y.size(); ++k) {
      EXPECT_NEAR(y[k], expected[i * Padded::steps * 2 + static_cast<Index>(k)], 1e-6) << i << ", " << k;
    }
  }
  set_warning_handler(before);
}

/// What a trace says, as smaller ops, is what a pass computes.
TEST(Masks, TracesAndStreamsAgree) {
  const Padded data;
  for (const MaskCase& which : mask_cases()) {
    SCOPED_TRACE(which.name);
    Sequential model = with_masking(which.layers);
    model.build({Padded::steps, Padded::features});
    const std::string text = to_string(trace(model));
    EXPECT_EQ(text.find("recurrence_of_masked_steps"), std::string::npos) << text;
    const std::set<std::string_view> streaming{"dense",         "lstm_sequences",   "two_lstm",   "lstm_softplus",
                                               "gru_sequences", "gru_reset_before", "simple_rnn", "attention_causal"};
    if (!streaming.contains(which.name)) continue;
    Stream stream(model);
    const Tensor expected = model.predict(data.x);
    const Index width = stream.output_size();
    for (Index i = 0; i < Padded::samples; ++i) {
      stream.reset();
      std::vector<Real> y(static_cast<std::size_t>(Padded::steps * width));
      stream.step(std::span(data.x.data() + i * Padded::steps * Padded::features,
                            static_cast<std::size_t>(Padded::steps * Padded::features)),
                  y);
      for (Index t = 0; t < Padded::steps; ++t) {
        if (expected.rank() == 2 && t + 1 < Padded::steps) continue;
        if (expected.rank() == 3 && !data.counts(i, t)) continue;
        for (Index k = 0; k < width; ++k) {
          const Index at = expected.rank() == 2 ? i * width + k : (i * Padded::steps + t) * width + k;
          ASSERT_NEAR(y[static_cast<std::size_t>(t * width + k)], expected[at], 1e-6) << i << ", " << t;
        }
      }
    }
  }
}

}  // namespace
}  // namespace cornu
