#include "cornu/models/streaming/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cornu/core/autodiff/operand.h"
#include "cornu/tests/models/streaming/models.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::OfOps;
using testing::sequence_for;
using testing::stream_cases;
using testing::StreamCase;

std::vector<Real> streamed(Stream& stream, const Tensor& x, Index block) {
  const Index steps = x.size() / stream.input_size();
  std::vector<Real> y(static_cast<std::size_t>(steps * stream.output_size()));
  for (Index done = 0; done < steps; done += block) {
    const Index n = std::min(block, steps - done);
    stream.step({x.data() + done * stream.input_size(), static_cast<std::size_t>(n * stream.input_size())},
                {y.data() + done * stream.output_size(), static_cast<std::size_t>(n * stream.output_size())});
  }
  return y;
}

/// Compares with the model's prediction for the whole sequence. An element is a sum, whose rounding is that of its
/// terms: the measure of the tolerance is the largest element of a step.
void expect_as_predicted(const Sequential& model, Stream& stream, const Tensor& x, const std::vector<Real>& y,
                         double tolerance = 1e-6) {
  const Tensor expected = model.predict(x);
  const Index steps = x.size() / stream.input_size(), width = stream.output_size();
  const auto expect_row = [&](Index step, Index row) {
    double largest = 1;
    for (Index j = 0; j < width; ++j) {
      largest = std::max(largest, std::abs(static_cast<double>(expected[row * width + j])));
    }
    for (Index j = 0; j < width; ++j) {
      const auto wanted = static_cast<double>(expected[row * width + j]),
                 given = static_cast<double>(y[static_cast<std::size_t>(step * width + j)]);
      ASSERT_NEAR(given, wanted, tolerance * largest) << "step " << step << ", element " << j;
    }
  };
  ASSERT_EQ(expected.size() % width, 0);
  const Index rows = expected.size() / width;
  if (rows == 1) return expect_row(steps - 1, 0);
  for (Index step = 0, row = 0; row < rows && step < steps; ++step) {
    if (step < stream.latency()) continue;
    row = (step - stream.latency()) * rows / (steps - stream.latency());
    if (rows == steps - stream.latency()) expect_row(step, row);
  }
}

class Streams : public ::testing::TestWithParam<StreamCase> {};

TEST_P(Streams, EqualPredict) {
  const Sequential& model = GetParam().model;
  const Tensor x = sequence_for(model, 7);
  for (const Index block_size : {1, 5, 64}) {
    Stream stream(model, {.block_size = block_size});
    for (const Index block : {1, 7, 24}) {
      SCOPED_TRACE(message("{} steps at a time in blocks of {}", block, block_size));
      stream.reset();
      expect_as_predicted(model, stream, x, streamed(stream, x, block));
    }
  }
}

/// If the model returns one result of the whole sequence, each step has that of the steps so far.
TEST_P(Streams, EachStepEqualsPredictOfTheStepsSoFar) {
  const Sequential& model = GetParam().model;
  Stream stream(model);
  const Index width = stream.output_size();
  if (model.output_shape().size() != width) GTEST_SKIP() << "the model returns a sequence";
  const Tensor x = sequence_for(model, 8);
  const std::vector<Real> y = streamed(stream, x, 5);
  Sequential layers(model);  // a Sequential takes its number of steps only
  for (Index steps = stream.latency() + 1; steps <= model.input_shape()->operator[](0); ++steps) {
    Tape tape(Mode::inference);
    Tensor part(Shape{1, steps, x.shape()[2]});
    std::copy_n(x.data(), part.size(), part.data());
    Var expected = tape.input(part);
    for (const NamedLayer& each : layers.layers()) expected = (*each.layer)(expected);
    for (Index j = 0; j < width; ++j) {
      ASSERT_NEAR(y[static_cast<std::size_t>((steps - 1) * width + j)], expected.value()[j], 2e-6) << steps << " steps";
    }
  }
}

TEST_P(Streams, ContinueFromAState) {
  const Sequential& model = GetParam().model;
  const Tensor x = sequence_for(model, 9);
  Stream stream(model);
  const std::vector<Real> all = streamed(stream, x, 4);
  const Index steps = model.input_shape()->operator[](0), in = stream.input_size(), out = stream.output_size();
  const Index half = steps / 2 + 1;
  stream.reset();
  const auto run = [&](Stream& of, Index begin, Index end) {
    std::vector<Real> y(static_cast<std::size_t>((end - begin) * out));
    of.step({x.data() + begin * in, static_cast<std::size_t>((end - begin) * in)}, y);
    return y;
  };
  run(stream, 0, half);
  const std::vector<Real> state(stream.state().begin(), stream.state().end());
  const std::vector<Real> rest(all.begin() + half * out, all.end());
  const auto expect_rest = [&](Stream& of) {
    const std::vector<Real> y = run(of, half, steps);
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], rest[i], 1e-6);
  };
  Stream copy(stream), other(model);
  expect_rest(copy);
  other.set_state(state);
  expect_rest(other);
  expect_rest(stream);
  stream.set_state(state);
  expect_rest(stream);
}

TEST_P(Streams, DoNotAllocate) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "operator new is the sanitizer's here";
  const Sequential& model = GetParam().model;
  Stream stream(model, {.block_size = 8});
  const Tensor x = sequence_for(model, 10);
  std::vector<Real> y(static_cast<std::size_t>(24 * stream.output_size()));
  const auto in = static_cast<std::size_t>(stream.input_size()), out = static_cast<std::size_t>(stream.output_size());
  const testing::AllocationCounter counter;
  stream.step({x.data(), in}, {y.data(), out});
  stream.step({x.data(), 5 * in}, {y.data(), 5 * out});
  stream.step({x.data(), 20 * in}, {y.data(), 20 * out});
  EXPECT_EQ(counter.count(), 0);
}

INSTANTIATE_TEST_SUITE_P(Models, Streams, ::testing::ValuesIn(stream_cases()),
                         [](const auto& tested) { return tested.param.name; });

/// Rows of a strided model come at their steps, and are repeated until the next.
TEST(Stream, RepeatsTheRowsOfAStridedModel) {
  const Sequential model{Input{12, 1}, Conv1D{.filters = 1, .kernel_size = 3, .strides = 2}};
  Stream stream(model);
  EXPECT_EQ(stream.latency(), 2);
  const Tensor x = sequence_for(model, 3), expected = model.predict(x);
  const std::vector<Real> y = streamed(stream, x, 5);
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0);
  for (std::size_t step = 2; step < 12; ++step) {
    EXPECT_NEAR(y[step], expected[static_cast<Index>(step - 2) / 2], 1e-6) << step;
  }
}

/// Random stacks of layers, streamed in random blocks. A LayerNormalization of nearly equal features amplifies the
/// rounding errors of floats.
TEST(Stream, RandomStacksEqualPredict) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    const auto below = [&](Index n) { return static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(n)); };
    const Index features = 2 * (1 + below(5)), steps = 10 + below(40);
    Sequential model({Input{steps, features}}, {.seed = seed});
    std::string names;
    for (Index layers = 2 + below(4); layers > 0; --layers) {
      const Index width = 2 * (1 + below(12));
      switch (below(9)) {
        case 0:
          model.add(Dense{width, tanh});
          break;
        case 1:
          model.add(LSTM{.units = width, .return_sequences = true});
          break;
        case 2:
          model.add(GRU{.units = width, .return_sequences = true});
          break;
        case 3:
          model.add(Conv1D{.filters = width,
                           .kernel_size = 1 + below(4),
                           .padding = Padding::causal,
                           .dilation_rate = 1 + below(6),
                           .groups = 1 + below(2),
                           .activation = relu});
          break;
        case 4:
          model.add(MultiHeadAttention{.num_heads = 1 + below(3), .key_dim = 1 + below(4), .use_causal_mask = true});
          break;
        case 5:
          model.add(LayerNormalization{});
          break;
        case 6:
          model.add(testing::Mish{});
          break;
        case 7:
          model.add(Residual{Dense{model.layer_count() == 0 ? features : model.output_shape()[-1], tanh}});
          break;
        default:
          model.add(BatchNormalization{});
      }
    }
    const Tensor x = sequence_for(model, seed);
    Stream stream(model, {.block_size = 1 + below(20)});
    SCOPED_TRACE(seed);
    expect_as_predicted(model, stream, x, streamed(stream, x, 1 + below(30)), sizeof(Real) == 8 ? 1e-12 : 1e-5);
  }
}

TEST(Stream, IsNotLimitedByTheStepsOfTheModel) {
  const Sequential model{Input{4, 2}, LSTM{.units = 3, .return_sequences = true}, Dense{1}};
  Sequential longer{Input{50, 2}, LSTM{.units = 3, .return_sequences = true}, Dense{1}};
  longer.set_weights(model.get_weights());
  const Tensor x = sequence_for(longer, 2);
  Stream stream(model);
  expect_as_predicted(longer, stream, x, streamed(stream, x, 3));
  EXPECT_EQ(stream.most_steps(), std::nullopt);
}

/// Attention remembers the last steps of its window.
TEST(Stream, AttendsToTheStepsOfItsWindow) {
  const Sequential model{Input{20, 4}, MultiHeadAttention{.num_heads = 1, .key_dim = 4, .use_causal_mask = true}};
  Sequential of_three{Input{3, 4}, MultiHeadAttention{.num_heads = 1, .key_dim = 4, .use_causal_mask = true}};
  of_three.set_weights(model.get_weights());
  const Tensor x = sequence_for(model, 2);
  Stream stream(model, {.attention_window = 3});
  const std::vector<Real> y = streamed(stream, x, 6);
  for (Index last = 2; last < 20; ++last) {
    Tensor window({1, 3, 4});
    std::copy_n(x.data() + (last - 2) * 4, 12, window.data());
    const Tensor expected = of_three.predict(window);
    for (Index j = 0; j < 4; ++j) EXPECT_NEAR(y[static_cast<std::size_t>(last * 4 + j)], expected[8 + j], 1e-6);
  }
}

TEST(Stream, EndsWithTheLastRowOfAParameter) {
  const Sequential model{Input{5, 2}, testing::LearnedPositions{}};
  Stream stream(model);
  EXPECT_EQ(stream.most_steps(), 5);
  std::vector<Real> x(12, 1), y(12);
  stream.step(x, y);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_FALSE(std::isnan(y[i]));
  EXPECT_TRUE(std::isnan(y[10]) && std::isnan(y[11]));
}

TEST(Stream, WorksInPlaceAndOutlivesItsModel) {
  std::optional<Sequential> model(Sequential{Input{9, 3}, GRU{.units = 3, .return_sequences = true}});
  const Tensor x = sequence_for(*model, 4), expected = model->predict(x);
  Stream stream(*model);
  model.reset();
  std::vector<Real> y(x.begin(), x.end());
  stream.step(y, y);
  for (Index i = 0; i < x.size(); ++i) EXPECT_NEAR(y[static_cast<std::size_t>(i)], expected[i], 1e-6);
}

TEST(Stream, PacksSeveralInputs) {
  struct LeftAndRight {
    AnyLayer left = Dense{3}, right = LSTM{.units = 3, .return_sequences = true};
    Var forward(Var a, Var b) const { return left(a) * right(b); }
    NamedLayers layers() { return {{"left", &left}, {"right", &right}}; }
  };
  const Sequential model{Inputs{{6, 2}, {6, 4}}, LeftAndRight{}};
  Tensor a({1, 6, 2}), b({1, 6, 4});
  Rng(1).fill_uniform(a, -1, 1);
  Rng(2).fill_uniform(b, -1, 1);
  const Tensor expected = model.predict(pack({a, b}));
  Stream stream(model);
  ASSERT_EQ(stream.input_size(), 6);
  std::vector<Real> x, y(18);
  for (Index step = 0; step < 6; ++step) {
    x.insert(x.end(), a.data() + step * 2, a.data() + step * 2 + 2);
    x.insert(x.end(), b.data() + step * 4, b.data() + step * 4 + 4);
  }
  stream.step(x, y);
  for (Index i = 0; i < 18; ++i) EXPECT_NEAR(y[static_cast<std::size_t>(i)], expected[i], 1e-6);
}

/// Streams of one const model, each in its thread.
TEST(Stream, EachThreadHasItsOwn) {
  const Sequential model{Input{24, 8}, testing::WaveNetBlock{8, 2}, LSTM{.units = 6, .return_sequences = true},
                         LayerNormalization{}};
  const Tensor x = sequence_for(model, 5);
  const Stream first(model);
  std::vector<std::vector<Real>> results(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      Stream stream = i % 2 == 0 ? first : Stream(model);
      results[i] = streamed(stream, x, static_cast<Index>(i) + 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Stream stream(model);
  for (const std::vector<Real>& each : results) expect_as_predicted(model, stream, x, each);
}

/// What decays becomes 0, not a denormal number.
TEST(Stream, HasNoDenormals) {
  Sequential model{Input{4, 1}, GRU{.units = 4, .activation = linear, .return_sequences = true}};
  for (const auto& [name, parameter] : model.parameters()) {
    for (Real& each : parameter->value) each *= Real(0.1);
  }
  Stream stream(model);
  std::vector<Real> x(4000), y(16000);
  x[0] = 1;
  stream.step(x, y);
  for (const Real each : stream.state()) EXPECT_TRUE(each == 0 || std::isnormal(each)) << each;
  EXPECT_EQ(y.back(), 0);
  volatile Real smallest = std::numeric_limits<Real>::min();
  EXPECT_GT(smallest / 2, 0) << "denormals count again after a step";
}

/// A quiet signal keeps its digits: tanh is accurate near 0, relative to its result.
TEST(Stream, IsAccurateForQuietSignals) {
  const std::vector<Sequential> models{
      {Input{64, 1}, LSTM{.units = 8, .unit_forget_bias = false, .return_sequences = true}},
      {Input{64, 1}, GRU{.units = 8, .return_sequences = true}},
  };
  for (const Sequential& model : models) {
    Tensor x = sequence_for(model, 12);
    for (Real& each : x) each *= Real(1e-6);
    const Tensor expected = model.predict(x);
    Stream stream(model);
    const std::vector<Real> y = streamed(stream, x, 7);
    for (Index i = 0; i < expected.size(); ++i) {
      const auto wanted = static_cast<double>(expected[i]);
      ASSERT_NEAR(static_cast<double>(y[static_cast<std::size_t>(i)]), wanted, 1e-5 * std::abs(wanted) + 1e-11) << i;
    }
  }
}

/// Ops with a tape take their memory when the stream is made, also if their rows come late.
TEST(Stream, DoesNotAllocateAfterADelay) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "operator new is the sanitizer's here";
  for (const Index block_size : {1, 8, 64}) {
    Stream stream({Input{300, 2}, Conv1D{.filters = 100, .kernel_size = 3, .dilation_rate = 100}, LayerNormalization{}},
                  {.block_size = block_size});
    std::vector<Real> x(600), y(30000);
    const testing::AllocationCounter counter;
    stream.step(x, y);
    EXPECT_EQ(counter.count(), 0) << block_size;
  }
}

TEST(Stream, ChecksTheCountersOfAState) {
  Stream stream({Input{8, 1}, Conv1D{.filters = 1, .kernel_size = 3, .padding = Padding::causal},
                 MultiHeadAttention{.num_heads = 1, .key_dim = 1, .use_causal_mask = true}});
  std::vector<Real> state(stream.state().begin(), stream.state().end());
  const std::vector<Real> good = state;
  Index refused = 0;
  for (std::size_t i = 0; i < state.size(); ++i) {
    for (const Real bad : {Real(1e6), Real(-1), Real(0.5), std::numeric_limits<Real>::quiet_NaN()}) {
      state = good;
      state[i] = bad;
      try {
        stream.set_state(state);
      } catch (const ValueError&) {
        ++refused;
      }
      std::vector<Real> x(3), y(3);
      stream.step(x, y);
    }
  }
  EXPECT_EQ(refused, 4 * 5) << "the place, the rows to wait and the rows so far; the steps known, and their place";
  state = good;
  state.back() = 1e6;
  expect_error<ValueError>(
      [&] { stream.set_state(state); },
      message("Stream: element {} of a state is 1000000; it counts, from 0 to 7", state.size() - 1));
}

TEST(Stream, RefusesOtherSizes) {
  Stream stream(Sequential{Input{4, 2}, Dense{3}});
  std::vector<Real> x(4), y(6);
  expect_error<ShapeError>([&] { stream.step(x, std::span(y).first(5)); },
                           "Stream: 4 numbers for x and 5 for y; 2 and 3 for each step are required");
  expect_error<ShapeError>([&] { stream.step(std::span(x).first(3), y); },
                           "Stream: 3 numbers for x and 6 for y; 2 and 3 for each step are required");
  expect_error<ShapeError>([&] { stream.set_state(x); }, "Stream: a state of 4 numbers; 0 are required");
  Stream other = std::move(stream);
  expect_error<StateError>([&] { stream.step(x, y); }, "Stream: moved from");
  expect_error<StateError>([&] { stream.set_state(x); }, "Stream: moved from");
  expect_error<StateError>([&] { stream.reset(); }, "Stream: moved from");
  stream = other;
  stream.step(x, y);
}

Var without_name(Var x) {
  const Var y = x.tape().output(x.shape(), {x});
  std::copy_n(x.value().data(), x.value().size(), y.out().data());
  return y;
}

Var halved(Var x) {
  const Var y = x.tape().output(x.shape(), {x}, "halved");
  for (Index i = 0; i < y.out().size(); ++i) y.out()[i] = x.value()[i] / 2;
  return y;
}

/// What cannot be computed step by step names layer and op.
TEST(Stream, RefusesWhatCannotStream) {
  const auto refused = [](const Sequential& model, const std::string& text) {
    expect_error<ValueError>([&] { Stream{model}; }, "Stream: " + text);
  };
  const Input in{6, 4};
  refused({in, Flatten{}, Dense{2}},
          "flatten: the op reshape merges the steps with another axis, or divides them: (6, 4) to (24,)");
  refused({in, OfOps{[](Var x) { return mean(x, 1); }}}, "of_ops: the op mean needs all steps");
  refused({in, OfOps{[](Var x) { return softmax(x, 1); }}}, "of_ops: the op softmax needs all steps");
  refused({in, Conv1D{.filters = 2, .kernel_size = 3, .padding = Padding::same}},
          "conv1d: the op conv2d looks 1 steps ahead; Padding::causal does not");
  refused({in, LSTM{.units = 2, .return_sequences = true, .go_backwards = true}},
          "lstm: the op lstm begins with the last step");
  refused({in, MultiHeadAttention{.num_heads = 1, .key_dim = 2}},
          "multi_head_attention: the op attend attends to later steps; use_causal_mask does not");
  refused({in, OfOps{[](Var x) {
             return x + reshape(sum(transpose(x, {0, 2, 1}), 2), {x.shape()[0], 1, 4});
           }}},
          "of_ops: the op sum needs all steps");
  refused({in, LSTM{.units = 4, .return_sequences = true}, OfOps{[](Var x) { return x + slice_axis(x, 1, 5, 6); }}},
          "of_ops: the op add adds what is known after the last step to every step");
  refused({in, OfOps{[](Var x) { return slice_axis(x, 1, 1, 4); }}},
          "of_ops: the op slice_axis takes the steps 1 to 3 of 6; only the last step can be taken");
  refused({in, OfOps{[](Var x) { return flip(x, 1); }}}, "of_ops: the op flip needs all steps");
  struct LastCell {
    AnyLayer lstm = LSTM{.units = 4};
    Var forward(Var x) const { return lstm(x, {}).state.c; }
    NamedLayers layers() { return {{"lstm", &lstm}}; }
  };
  refused({in, LastCell{}}, "last_cell/lstm: the op lstm_with_state cannot stream");
  refused({in, testing::Elman{}},
          "elman: the op slice_axis takes the steps 0 to 0 of 6; only the last step can be taken");
  refused({in, OfOps{[](Var x) { return matmul(x, x, {.transpose_b = true}); }}},
          "of_ops: the op matmul multiplies one step by others");
  refused({in, OfOps{[](Var x) {
             return matmul(transpose(x, {0, 2, 1}), x.tape().constant(Tensor::full({6, 2}, 1)));
           }}},
          "of_ops: the op matmul sums over the steps");
  refused({Input{8, 4}, Conv1D{.filters = 2, .kernel_size = 8}},
          "conv1d: the op conv2d leaves one step of the sequence; a model whose input has more steps leaves several");
  refused({in, LSTM{.units = 2, .activation = softmax}},
          "lstm: the activation softmax of a recurrent layer cannot stream");
  refused({Input{4}, Dense{2}}, "dense: the op affine sums over the steps");
  refused({Input{1, 4}, Dense{2}},
          "a sample has the shape (1, 4); (steps, features) is required, with two steps or more");
  refused({in, OfOps{without_name}},
          "of_ops: an op without a name cannot stream; give Tape::output its name, and register it by "
          "register_stream_op");
  refused({in, OfOps{halved}}, "of_ops: the op halved cannot stream; register_stream_op says how");
  refused({in, OfOps{[](Var x) { return x - mean(x); }}},
          "the result of a sample depends on the other samples of its batch");
  expect_error<StateError>([] { Stream{Sequential{Dense{2}}}; },
                           "sequential: Stream: not built yet, so there are no weights");
  expect_error<ValueError>(
      [&] {
        Stream({in, Dense{2}}, {.block_size = 0});
      },
      "Stream: StreamOptions: block_size is 0; 1 to 1048576 is required");
}

/// Every registered layer streams as it predicts, or says why it cannot.
TEST(Stream, HasEveryLayerOrAReason) {
  const std::string two_axes = "has windows over the steps of images; those of (steps, features) can stream",
                    merges = "merges the steps with another axis, or divides them: (5, 5, 2) to ";
  const std::map<std::string, std::string, std::less<>> reasons{
      {"AveragePooling2D", "Stream: average_pooling2d: the op average_pool2d " + two_axes},
      {"Bidirectional", "Stream: bidirectional/backward_lstm: the op lstm begins with the last step"},
      {"Conv2D", "Stream: conv2d: the op conv2d " + two_axes},
      {"DepthwiseConv2D", "Stream: depthwise_conv2d: the op depthwise_conv2d " + two_axes},
      {"Flatten", "Stream: flatten: the op reshape " + merges + "(50,)"},
      {"GlobalAveragePooling2D", "Stream: global_average_pooling2d: the op reshape " + merges + "(25, 2)"},
      {"GlobalAveragePooling1D", "Stream: global_average_pooling1d: the op mean needs all steps"},
      {"GlobalMaxPooling1D", "Stream: global_max_pooling1d: the op max needs all steps"},
      {"GlobalMaxPooling2D", "Stream: global_max_pooling2d: the op reshape " + merges + "(25, 2)"},
      {"MaxPooling2D", "Stream: max_pooling2d: the op max_pool2d " + two_axes},
      {"MultiHeadAttention",
       "Stream: multi_head_attention: the op attend attends to later steps; use_causal_mask does not"},
      {"Reshape", "reshape: Reshape: a sample of shape (7, 6) has 42 elements, but (3, 2) has 6"},
  };
  for (const testing::LayerRow& row : testing::every_layer()) {
    SCOPED_TRACE(row.layer.type());
    const Shape sample = row.input.rank() == 1 && row.layer.type() != "Input" ? row.input.inserted(0, 7) : row.input;
    const auto reason = reasons.find(row.layer.type());
    try {
      const Sequential model({Input(sample), row.layer}, {.seed = 1});
      Stream stream(model);
      EXPECT_TRUE(reason == reasons.end()) << "it streams";
      Tensor x(sample.batched(1));
      if (row.layer.type() != "Embedding") Rng(3).fill_uniform(x, -1, 1);
      expect_as_predicted(model, stream, x, streamed(stream, x, 2), 2e-6);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), reason == reasons.end() ? "no error" : reason->second);
    }
  }
}

/// A user's op streams once it is registered.
TEST(Stream, CallsAUsersOp) {
  static const auto thirds = [](Var x) {
    const Var y = x.tape().output(x.shape(), {x}, "thirds");
    for (Index i = 0; i < y.out().size(); ++i) y.out()[i] = x.value()[i] / 3;
    return y;
  };
  const Sequential model{Input{6, 4}, OfOps{[](Var x) { return thirds(x); }}, LSTM{.units = 2}};
  const auto call = [](const Trace::Op&, std::span<const Var> x, const Shape&) { return thirds(x[0]); };
  register_stream_op("thirds", call);
  register_cpp_op("thirds", [](CppOpWriter& to) { return to.each("v / 3.0f"); });
  Stream stream(model);
  const Tensor x = sequence_for(model, 6);
  expect_as_predicted(model, stream, x, streamed(stream, x, 2));
  expect_error<ValueError>(
      [] { register_stream_op("tanh", [](const Trace::Op&, std::span<const Var> of, const Shape&) { return of[0]; }); },
      "register_stream_op: \"tanh\" is registered already");
  expect_error<ValueError>([] { register_stream_op("lstm_by_steps", nullptr); },
                           "register_stream_op: \"lstm_by_steps\" is an op of Cornu");
  // Names of activations that are no ops are free.
  register_stream_op("silu", [](const Trace::Op&, std::span<const Var> of, const Shape&) { return of[0] * 5; });
  const Sequential users{Input{6, 4}, OfOps{[](Var v) {
                           const Var y = v.tape().output(v.shape(), {v}, "silu");
                           for (Index i = 0; i < y.out().size(); ++i) y.out()[i] = 5 * v.value()[i];
                           return y;
                         }}};
  Stream of_users(users);
  const Tensor numbers = sequence_for(users, 6);
  expect_as_predicted(users, of_users, numbers, streamed(of_users, numbers, 2));
}

}  // namespace
}  // namespace cornu
