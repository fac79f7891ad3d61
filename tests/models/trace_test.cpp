#include "cornu/models/trace.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "cornu/core/autodiff/rewrites.h"
#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/random_graph.h"
#include "cornu/tests/support/run_trace.h"
#include "cornu/tests/support/users_layers.h"

namespace cornu {
namespace {

using testing::run_trace;

Tensor drawn(const Shape& shape, std::uint64_t seed) {
  Tensor result(shape);
  Rng(seed).fill_normal(result, 0, 1);
  return result;
}

void expect_near(const Tensor& got, const Tensor& want, double tolerance) {
  ASSERT_EQ(got.shape(), want.shape());
  for (Index i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * std::max(1.0, std::abs(static_cast<double>(want[i])))) << "at " << i;
  }
}

/// The trace of a model, run for batches of 1, 2 and 5, gives the bits that predict gives, and with all rewrites nearly
/// the same numbers.
void expect_traced(
    const Sequential& model, const std::function<Tensor(Tensor)>& prepared = [](Tensor x) { return x; }) {
  const Trace plain = trace(model);
  SCOPED_TRACE(to_string(plain));
  Trace rewritten = plain;
  fold_constants(rewritten);
  merge_equal_ops(rewritten);
  fuse_bias(rewritten);
  fold_batch_normalization(rewritten);
  merge_transposes(rewritten);
  remove_unused_ops(rewritten);
  for (const Trace::Op& op : plain.ops) EXPECT_NE(op.name, "") << to_string(plain);
  for (const Index batch : {1, 2, 5}) {
    SCOPED_TRACE(batch);
    const Tensor x = prepared(drawn(model.input_shape()->batched(batch), 7));
    const Tensor want = model.predict(x);
    const Tensor got = run_trace(plain, {x});
    EXPECT_EQ(got.shape(), want.shape());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), static_cast<std::size_t>(got.size()) * sizeof(Real)), 0)
        << to_string(plain);
    expect_near(run_trace(rewritten, {x}), want, std::is_same_v<Real, double> ? 1e-10 : 1e-4);
  }
}

TEST(TracedModel, EveryLayerGivesTheBitsOfPredict) {
  for (const testing::LayerRow& row : testing::every_layer()) {
    SCOPED_TRACE(std::string(row.layer.type()));
    Sequential model{AnyLayer(Input{row.input}), row.layer};
    const bool takes_indices = row.layer.type() == "Embedding";
    expect_traced(model, [&](Tensor x) {
      if (takes_indices) x.fill(0);
      return x;
    });
  }
}

TEST(TracedModel, OpsHaveThePathsOfLayersAndParameters) {
  const Sequential model{Input{4}, {"encoder", Sequential{Dense{3, relu}, {"last", Dense{2}}}}, Softmax{}};
  EXPECT_EQ(to_string(trace(model)),
            "input: (batch, 4)\n"
            "%3 = affine(input, encoder/dense/kernel, encoder/dense/bias) -> (batch, 3)  # encoder/dense\n"
            "%4 = relu(%3) -> (batch, 3)  # encoder/dense\n"
            "%7 = affine(%4, encoder/last/kernel, encoder/last/bias) -> (batch, 2)  # encoder/last\n"
            "%8 = softmax(%7, axis = 1) -> (batch, 2)  # softmax\n"
            "return %8\n");
}

TEST(TracedModel, UsersLayersAreTracedWithoutAnotherLine) {
  for (const auto& [name, model] : testing::users_models()) {
    SCOPED_TRACE(name);
    expect_traced(model);
  }
}

TEST(TracedModel, RandomGraphsGiveTheBitsOfPredict) {
  for (std::uint64_t seed = 0; seed < testing::random_graph_count(); ++seed) {
    SCOPED_TRACE(seed);
    expect_traced(testing::random_model(seed));
  }
}

TEST(TracedModel, SeveralInputsAreInputsOfTheTrace) {
  const Sequential model{Inputs{{5, 5, 1}, {3}}, testing::Weighted{}};
  const Trace got = trace(model);
  ASSERT_EQ(got.inputs.size(), 2u);
  EXPECT_EQ(to_string(got.values[got.inputs[0]].shape), "(batch, 5, 5, 1)");
  EXPECT_EQ(to_string(got.values[got.inputs[1]].shape), "(batch, 3)");
  const Tensor picture = drawn({4, 5, 5, 1}, 1), numbers = drawn({4, 3}, 2);
  EXPECT_EQ(run_trace(got, {picture, numbers}), model.predict(pack({picture, numbers})));
}

TEST(TracedModel, TwoPointsThroughOneTowerAreTraced) {
  const Sequential model{Inputs{{2}, {2}}, testing::Same{}};
  const Tensor a = drawn({4, 2}, 1), b = drawn({4, 2}, 2);
  EXPECT_EQ(run_trace(trace(model), {a, b}), model.predict(pack({a, b})));
}

/// A layer that takes only some inputs is traced on zeros, which it takes.
TEST(TracedModel, AnExceptionOnOtherInputsIsNoError) {
  struct Picky {
    Var forward(Var x) const {
      if (x.value()[0] > 0) throw std::runtime_error("not this one");
      return x * 2;
    }
  };
  const Sequential model{Input{3}, Picky{}};
  EXPECT_EQ(trace(model).ops.size(), 1u);
}

TEST(TracedModel, PenaltiesOfOutputsLeaveNoOps) {
  const Sequential model{Input{3}, Dense{.units = 2, .activity_regularizer = L1L2{0.1, 0.2}}};
  EXPECT_EQ(trace(model).ops.size(), 1u);
  expect_traced(model);
}

TEST(TracedModel, ALayerThatIsNotListedHasThePathOfItsOwner) {
  struct Hidden {
    AnyLayer inner = ReLU{};
    Var forward(Var x) const { return inner(x); }
  };
  const Sequential model{Input{3}, {"outer", Hidden{}}};
  EXPECT_EQ(trace(model).ops.at(0).layer, "outer");
}

TEST(TracedModel, AnUnbuiltModelIsRefused) {
  const Sequential model{Dense{2}};
  EXPECT_THROW(trace(model), StateError);
}

TEST(TracedModel, DropoutAndAugmentationLeaveNoOps) {
  const Sequential model{Input{4, 4, 1}, RandomFlip{}, RandomZoom{.height_factor = 0.2}, Dropout{0.5}};
  EXPECT_EQ(trace(model).ops.size(), 0u);
}

}  // namespace
}  // namespace cornu
