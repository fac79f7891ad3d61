// Masked steps do not count: a batch of padded sequences gives what the sequences without padding give one by one.

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <string_view>
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

std::vector<std::string> warnings;

TEST(Masks, ALayerThatDropsTheMaskIsReportedOnce) {
  warnings.clear();
  const WarningHandler before = set_warning_handler([](std::string_view text) { warnings.emplace_back(text); });
  const Padded data;
  for (int i = 0; i < 2; ++i) {
    for (std::vector<AnyLayer> layers : std::vector<std::vector<AnyLayer>>{
             {AnyLayer("dropping_mask", Conv1D{.filters = 2, .kernel_size = 2})}, {Dense{2}, LSTM{.units = 2}}}) {
      (void)with_masking(std::move(layers)).predict(data.x);
    }
  }
  set_warning_handler(before);
  EXPECT_EQ(warnings, (std::vector<std::string>{"dropping_mask (Conv1D) does not heed the mask of its input; padding "
                                                "counts from there on"}));
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
