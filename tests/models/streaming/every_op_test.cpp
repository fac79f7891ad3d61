#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cornu/core/ops/op_calls.h"
#include "cornu/tests/models/streaming/models.h"
#include "cornu/tests/models/streaming/op_uses.h"
#include "cornu/tests/support/expect_error.h"

/// Every op that can be called by name, on values that lie in every way in time: a Stream's result equals that of
/// predict, or the Stream refuses the op and names it and its layer. Which of the two is stated for each case
/// (op_uses.h).
namespace cornu {
namespace {

using testing::OfOps;
using testing::OpUse;
using testing::Place;
using testing::stream_steps;

struct Placement {
  std::string name;
  std::function<Var(Var)> place;  // from (batch, steps, 4)
  Index time;                     // as in Place
  Index stride = 1;               // of its rows, in steps
  bool late = false;
};

Var last_of(Var x) { return reshape(slice_axis(x, 1, stream_steps - 1, stream_steps), {x.shape()[0], x.shape()[2]}); }
/// The larger values of two steps, at each step but the first, or at every second step.
Var maxima_of(Var x, Index stride) {
  const Var image = reshape(x, x.shape().inserted(2, 1));
  const Var y = max_pool2d(image, {2, 1}, {.strides = {stride, 1}});
  return reshape(y, y.shape().without(2));
}
Var images_of(Var x) { return reshape(x, {x.shape()[0], stream_steps, 2, 2}); }

std::vector<Placement> placements() {
  const auto with = [](Var x, const Shape& sample) { return reshape(x, sample.batched(x.shape()[0])); };
  return {
      {"steps", [](Var x) { return x; }, 1},
      {"steps last",
       [](Var x) {
         return transpose(x, {0, 2, 1});
       },
       2},
      {"matrices of steps", images_of, 1},
      {"steps in the middle",
       [](Var x) {
         return transpose(images_of(x), {0, 2, 1, 3});
       },
       2},
      {"steps after matrices",
       [](Var x) {
         return transpose(images_of(x), {0, 2, 3, 1});
       },
       3},
      {"an axis of 1 before the steps",
       [=](Var x) {
         return with(x, {1, stream_steps, 4});
       },
       2},
      {"an axis of 1 after the steps",
       [=](Var x) {
         return with(x, {stream_steps, 1, 4});
       },
       1},
      {"rows of steps", [](Var x) { return steps_as_samples(x); }, 0},
      {"matrices as rows", [](Var x) { return steps_as_samples(images_of(x)); }, 0},
      {"images as rows",
       [=](Var x) {
         return steps_as_samples(with(x, {stream_steps, 2, 2, 1}));
       },
       0},
      {"rows with a delay", [](Var x) { return maxima_of(x, 1); }, 1, 1, true},
      {"every second step", [](Var x) { return maxima_of(x, 2); }, 1, 2, true},
      {"every second step last",
       [](Var x) {
         return transpose(maxima_of(x, 2), {0, 2, 1});
       },
       2, 2, true},
      {"last step", last_of, -1},
      {"matrix of the last step",
       [=](Var x) {
         return with(last_of(x), {2, 2});
       },
       -1},
      {"image of the last step",
       [=](Var x) {
         return with(last_of(x), {2, 2, 1});
       },
       -1},
  };
}

/// One op on one kind of value, as a layer named "own".
Sequential model_of(const OpUse& use, const Placement& placement) {
  const auto formula = [=](Var x) {
    const Var v = placement.place(x), y = use.formula(v, placement.time);
    return placement.time == 0 ? reshape(y, y.shape().sub(1).batched(stream_steps).batched(x.shape()[0])) : y;
  };
  return {Input{stream_steps, 4}, {"own", OfOps{formula}}};
}

Tensor input_for(const OpUse& use) {
  Tensor x({1, stream_steps, 4});
  Rng rng(11);
  for (Real& each : x) each = use.whole_numbers ? static_cast<Real>(rng.below(5)) : rng.uniform(Real(0.2), Real(1.5));
  return x;
}

/// The results of a stream in blocks of three steps, (steps, output_size).
std::vector<Real> streamed_rows(Stream& stream, const Tensor& x) {
  const Index in = stream.input_size(), out = stream.output_size();
  std::vector<Real> y(static_cast<std::size_t>(stream_steps * out));
  for (Index done = 0; done < stream_steps; done += 3) {
    const Index n = std::min<Index>(3, stream_steps - done);
    stream.step({x.data() + done * in, static_cast<std::size_t>(n * in)},
                {y.data() + done * out, static_cast<std::size_t>(n * out)});
  }
  return y;
}

/// Compares each row in time of a prediction with the stream's result at its step.
void expect_rows(const Tensor& expected, Stream& stream, const std::vector<Real>& y, Index stride) {
  const Index latency = stream.latency(), rows = (stream_steps - 1 - latency) / stride + 1;
  const Shape& shape = expected.shape();
  Index axis = 1;
  while (axis < shape.rank() && shape[axis] != rows) ++axis;
  const bool is_last = axis == shape.rank();  // one result of all steps
  const Index width = is_last ? expected.size() : expected.size() / rows;
  ASSERT_EQ(stream.output_size(), width);
  const Index inner = is_last ? width : shape.sub(axis + 1).size();
  for (Index row = is_last ? rows - 1 : 0; row < rows; ++row) {
    const Index step = is_last ? stream_steps - 1 : latency + row * stride;
    for (Index j = 0; j < width; ++j) {
      const Index at = is_last ? j : (j / inner * rows + row) * inner + j % inner;
      const auto wanted = static_cast<double>(expected[at]),
                 given = static_cast<double>(y[static_cast<std::size_t>(step * width + j)]);
      ASSERT_NEAR(given, wanted, 2e-6 * std::max(1.0, std::abs(wanted))) << "step " << step << ", element " << j;
    }
  }
}

bool calls_op(const Trace& of_model, const std::string& op) {
  return std::any_of(of_model.ops.begin(), of_model.ops.end(), [&](const Trace::Op& each) { return each.name == op; });
}

/// The error of a Stream, or its results compared with predict.
void expect_as_stated(const std::string& op, const OpUse& use, const Placement& placement, const Place& place) {
  const Sequential model = model_of(use, placement);
  ASSERT_TRUE(calls_op(trace(model), op)) << "the case does not call the op";
  const bool streams = use.streams(place);
  std::optional<Stream> stream;
  try {
    stream.emplace(model, StreamOptions{.block_size = 4});
  } catch (const Error& error) {
    const std::string start = "Stream: own: the op " + op + " ", text = error.what();
    EXPECT_FALSE(streams) << text;
    EXPECT_EQ(text.substr(0, start.size()), start);
    return;
  }
  EXPECT_TRUE(streams) << "it streams";
  const Tensor x = input_for(use);
  expect_rows(model.predict(x), *stream, streamed_rows(*stream, x), placement.stride * use.stride(place));
}

TEST(StreamOfEveryOp, EqualsPredictOrRefusesTheOp) {
  const std::vector<Placement> all = placements();
  for (const std::string& op : detail::called_op_names()) {
    if (detail::is_users_op(op)) continue;  // of another test
    int cases = 0;
    for (const OpUse& use : testing::op_uses(op)) {
      for (const Placement& placement : all) {
        Tape tape(Mode::inference);
        const Tensor x({2, stream_steps, 4});
        const Place place{placement.place(tape.input(x)).shape(), placement.time, placement.late};
        if (!use.takes(place)) continue;
        SCOPED_TRACE(message("{}: {} on {}, {}", op, use.name, placement.name, place.shape));
        expect_as_stated(op, use, placement, place);
        ++cases;
      }
    }
    EXPECT_GT(cases, 0) << op << " has no case: add it to op_uses.cpp";
  }
}

/// Layers over the steps of a sequence, within each step of another.
TEST(StreamOfEveryOp, RefusesSequenceLayersWithinEachStep) {
  const auto refused = [](const AnyLayer& layer, const std::string& name, const std::string& op) {
    const Sequential model{Input{6, 5, 4}, TimeDistributed{layer}};
    testing::expect_error<ValueError>([&] { Stream{model}; },
                                      message("Stream: time_distributed/{}: the op {} runs within each step "
                                              "(TimeDistributed); it can stream only over the steps",
                                              name, op));
  };
  refused(LSTM{.units = 2}, "lstm", "lstm");
  refused(GRU{.units = 2, .return_sequences = true}, "gru", "gru");
  refused(Bidirectional{GRU{.units = 2}}, "bidirectional/forward_gru", "gru");
  for (const bool use_causal_mask : {true, false}) {
    refused(MultiHeadAttention{.num_heads = 1, .key_dim = 2, .use_causal_mask = use_causal_mask},
            "multi_head_attention", "attend");
  }
}

}  // namespace
}  // namespace cornu
