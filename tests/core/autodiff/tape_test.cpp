#include "cornu/core/autodiff/tape.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <thread>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/tensors.h"

namespace cornu::testing {
namespace {

/// A model of two layers, with a loss.
struct Mlp {
  Parameter w1{uniform({6, 5}, 1)}, b1{uniform({5}, 2)};
  Parameter w2{uniform({5, 3}, 3)}, b2{uniform({3}, 4)};

  Var forward(Var x) const { return log_softmax(affine(relu(affine(x, w1, b1)), w2, b2)); }
  Var loss(Var x) const { return -mean(slice_axis(forward(x), -1, 0, 1)) + mean(square(reshape(forward(x), {-1}))); }
  std::array<const Parameter*, 4> parameters() const { return {&w1, &b1, &w2, &b2}; }
};

TEST(Tape, ReturnsGradientsAndLeavesParametersUnchanged) {
  const Parameter w{Tensor::vector({2, 3})};
  const Tensor x = Tensor::vector({5, 7});
  Tape tape;
  const Gradients gradients = tape.backward(sum(tape.input(x) * w));
  ASSERT_EQ(gradients.entries().size(), 1u);
  EXPECT_EQ(gradients.entries()[0].parameter, &w);
  EXPECT_EQ(Tensor(gradients[w]), x);
  EXPECT_EQ(w.value, Tensor::vector({2, 3}));
  // A second backward pass does not accumulate.
  EXPECT_EQ(Tensor(tape.backward(sum(tape.input(x) * w))[w]), x);
}

TEST(Tape, AddsTheGradientsOfAVariableThatIsUsedTwice) {
  const Tensor numbers = Tensor::vector({2, 3});
  Tape tape;
  const Var x = tape.variable(numbers);
  EXPECT_EQ(Tensor(tape.backward(sum(x * x + x + 5 * x))[x]), Tensor::vector({10, 12}));
}

TEST(Tape, ComputesGradientsThroughNestedReshapes) {
  const Tensor numbers({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor weights({3, 2}, {1, 10, 100, 1000, 10000, 100000});
  Tape tape;
  const Var x = tape.variable(numbers);
  const Var flat = reshape(x, {-1}), tall = reshape(flat, {3, 2});
  EXPECT_EQ(tall.value().data(), x.value().data()) << "a reshape copies nothing";
  // Four paths to x: x itself, `flat`, and `tall` twice.
  const Gradients gradients =
      tape.backward(sum(tall * tape.input(weights)) + sum(2 * flat) + sum(square(x)) + sum(tall));
  EXPECT_EQ(Tensor(gradients[x]), Tensor({2, 3}, {6, 17, 109, 1011, 10013, 100015}));
  EXPECT_EQ(Tensor(gradients[tall]), Tensor({3, 2}, {6, 17, 109, 1011, 10013, 100015})) << "in its own shape";
}

TEST(Tape, ComputesGradientsThroughReshapesOfAResult) {
  const Tensor numbers({4}, {1, 2, 3, 4});
  Tape tape;
  const Var x = tape.variable(numbers);
  const Var y = 3 * x, square_y = reshape(y, {2, 2});
  EXPECT_EQ(Tensor(tape.backward(sum(square_y * square_y) + sum(y))[x]), Tensor({4}, {21, 39, 57, 75}));
  EXPECT_EQ(Tensor(tape.backward(square_y, Tensor({2, 2}, {1, 2, 3, 4}))[x]), Tensor({4}, {3, 6, 9, 12}));
}

TEST(Tape, ComputesGradientsThroughReshapesOfAParameter) {
  const Parameter w{Tensor({2, 2}, {1, 2, 3, 4})};
  Tape tape;
  const Var flat = reshape(tape.parameter(w), {4});
  const Gradients gradients = tape.backward(sum(flat * flat) + sum(tape.parameter(w)));
  EXPECT_EQ(Tensor(gradients[w]), Tensor({2, 2}, {3, 5, 7, 9}));
}

TEST(Tape, GivesAParameterUsedSeveralTimesOneEntry) {
  const Parameter first{Tensor::vector({1, 2})}, second{Tensor::vector({3, 4})}, unused{Tensor::vector({5, 6})};
  Tape tape;
  const Var a = tape.parameter(first), again = tape.parameter(first);
  tape.parameter(unused);
  EXPECT_EQ(a.value().data(), again.value().data());
  const Gradients gradients = tape.backward(sum(a * second + again * second + first * a));
  ASSERT_EQ(gradients.entries().size(), 2u) << "in the order of first use, without the unused one";
  EXPECT_EQ(gradients.entries()[0].parameter, &first);
  EXPECT_EQ(gradients.entries()[1].parameter, &second);
  EXPECT_EQ(Tensor(gradients[first]), Tensor::vector({8, 12}));
  EXPECT_EQ(Tensor(gradients[second]), Tensor::vector({2, 4}));
  EXPECT_EQ(
      error_of<ValueError>([&] { gradients[unused]; }),
      "Gradients: no gradient of this parameter of shape (2,): the loss does not depend on it, or it is frozen or "
      "not trainable");
}

TEST(Tape, GivesNoGradientsOfConstantsAndFrozenParameters) {
  const Parameter frozen{Tensor::vector({1, 2}), false}, free{Tensor::vector({3, 4})};
  const Tensor data = Tensor::vector({5, 6});
  Tape tape;
  const Var x = tape.input(data), kept = tape.constant(data);
  EXPECT_FALSE(tape.parameter(frozen).wants_gradient());
  const Gradients gradients = tape.backward(sum(x * frozen * free + kept));
  ASSERT_EQ(gradients.entries().size(), 1u);
  EXPECT_EQ(Tensor(gradients[free]), Tensor::vector({5, 12}));
  EXPECT_EQ(
      error_of<ValueError>([&] { gradients[frozen]; }),
      "Gradients: no gradient of this parameter of shape (2,): the loss does not depend on it, or it is frozen or "
      "not trainable");
  for (const Var without : {x, kept, tape.parameter(frozen), x * frozen}) {
    EXPECT_EQ(error_of<ValueError>([&] { gradients[without]; }),
              "Gradients: no gradient of this value of shape (2,): the loss does not depend on it, or it depends on no "
              "trainable parameter or variable");
  }
  // A loss without trainable parameters has no gradients, which is not an error.
  EXPECT_TRUE(tape.backward(sum(x * frozen)).entries().empty());
}

TEST(Tape, RepeatsABackwardPassWithTheSameResult) {
  const Mlp model;
  const Tensor x = uniform({4, 6}, 9);
  Tape tape;
  const Var loss = model.loss(tape.input(x)), other = sum(square(tape.parameter(model.b2)));
  std::vector<Tensor> first;
  for (const Parameter* parameter : model.parameters()) first.emplace_back(tape.backward(loss)[*parameter]);
  // A backward pass from another value in between, which reaches fewer parameters.
  EXPECT_EQ(tape.backward(other).entries().size(), 1u);
  const Gradients again = tape.backward(loss);
  ASSERT_EQ(again.entries().size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(Tensor(again[*model.parameters()[i]]), first[i]);
}

TEST(Tape, StartsABackwardPassFromAValueOfAnyShape) {
  const Tensor numbers = Tensor::matrix({{1, 2}, {3, 4}}), gradient = Tensor::matrix({{1, 10}, {100, 1000}});
  Tape tape;
  const Var x = tape.variable(numbers);
  EXPECT_EQ(Tensor(tape.backward(square(x), gradient)[x]), Tensor::matrix({{2, 40}, {600, 8000}}));
  EXPECT_EQ(Tensor(tape.backward(x, gradient)[x]), gradient) << "of a variable itself";
}

TEST(Tape, RejectsInvalidStartsOfABackwardPass) {
  const Tensor numbers = Tensor::vector({1, 2});
  Tape tape, inference(Mode::inference), other;
  const Var x = tape.variable(numbers);
  EXPECT_EQ(error_of<ShapeError>([&] { tape.backward(x); }),
            "backward: the loss must have one element, but its shape is (2,)");
  EXPECT_EQ(error_of<ShapeError>([&] {
              tape.backward(x, Tensor(Shape{2, 1}));
            }),
            "backward: a gradient of shape (2, 1) for a value of shape (2,)");
  EXPECT_EQ(error_of<StateError>([&] { inference.backward(sum(inference.variable(numbers))); }),
            "backward: this tape is in inference mode, which records no backward rules");
  EXPECT_EQ(error_of<StateError>([&] { tape.backward(Var()); }), "an empty Var was used: it was never given a value");
  EXPECT_EQ(error_of<StateError>([&] { tape.backward(sum(other.variable(numbers))); }),
            "backward: this value is on another tape");
}

TEST(Tape, RejectsVarsOfAnEarlierPass) {
  constexpr const char* text = "a Var was used after its tape was cleared: values live for one pass";
  const Tensor numbers = Tensor::vector({1, 2});
  Tape tape;
  const Var x = tape.variable(numbers);
  for (int pass = 1; pass < 64; ++pass) {
    tape.clear();
    const Var fresh = tape.variable(numbers);
    EXPECT_EQ(error_of<StateError>([&] { x.value(); }), text);
    EXPECT_EQ(error_of<StateError>([&] { fresh + x; }), text);
    EXPECT_EQ(error_of<StateError>([&] { x + 1; }), text);
    EXPECT_EQ(error_of<StateError>([&] { tape.backward(x); }), text);
  }
}

TEST(Tape, RejectsAnEmptyVar) {
  constexpr const char* text = "an empty Var was used: it was never given a value";
  const Parameter w{Tensor::vector({1, 2})};
  EXPECT_FALSE(Var());
  EXPECT_EQ(error_of<StateError>([] { Var().shape(); }), text);
  EXPECT_EQ(error_of<StateError>([] { Var() + Var(); }), text);
  EXPECT_EQ(error_of<StateError>([] { Var() * 2; }), text);
  EXPECT_EQ(error_of<StateError>([&] { w - Var(); }), text);
  EXPECT_EQ(error_of<StateError>([&] { matmul(w, Var()); }), text);
}

TEST(Tape, RejectsUpdatesAndAliasesOfAnotherTape) {
  const Tensor numbers = Tensor::vector({1, 2});
  const Parameter state{numbers, false};
  Tape tape, other;
  const Var foreign = other.input(numbers);
  EXPECT_EQ(error_of<StateError>([&] { tape.record_update(state, foreign); }),
            "record_update: this value is on another tape");
  EXPECT_EQ(error_of<StateError>([&] { tape.alias(foreign, {2, 1}); }), "alias: this value is on another tape");
}

TEST(Tape, RecordsUpdatesForTheOptimizer) {
  const Parameter state{Tensor::vector({1, 2}), false}, w{Tensor::vector({3, 4})};
  const Tensor x = Tensor::vector({5, 6});
  Tape tape;
  const Var loss = sum(tape.input(x) * w);
  tape.record_update(state, 10 * tape.parameter(state));
  tape.record_update(state, 0.5 * tape.parameter(state) + x.size());
  EXPECT_EQ(state.value, Tensor::vector({1, 2})) << "forward changes nothing";
  const Gradients gradients = tape.backward(loss);
  ASSERT_EQ(gradients.updates().size(), 1u) << "the last update of a parameter counts";
  EXPECT_EQ(gradients.updates()[0].parameter, &state);
  EXPECT_EQ(Tensor(gradients.updates()[0].value), Tensor::vector({2.5, 3}));
  EXPECT_EQ(error_of<ShapeError>([&] { tape.record_update(state, loss); }),
            "record_update: a value of shape () for a parameter of shape (2,)");

  // Later updates belong to the next backward pass and do not change these Gradients.
  std::vector<Parameter> many(20, state);
  for (const Parameter& parameter : many) tape.record_update(parameter, tape.parameter(state));
  EXPECT_EQ(gradients.updates().size(), 1u);
  EXPECT_EQ(gradients.updates()[0].parameter, &state);
  EXPECT_EQ(tape.backward(loss).updates().size(), 21u);
  EXPECT_EQ(gradients.entries()[0].parameter, &w);

  tape.clear();
  EXPECT_TRUE(tape.backward(sum(tape.input(x) * w)).updates().empty());

  Tape inference(Mode::inference);
  inference.record_update(state, inference.parameter(state));
  EXPECT_EQ(error_of<ShapeError>([&] { inference.record_update(state, inference.constant(1)); }),
            "record_update: a value of shape () for a parameter of shape (2,)");
}

TEST(Tape, KnowsTheLogitsOfSoftmaxAndSigmoid) {
  const Tensor numbers({2, 3, 1}, {1, 2, 3, 4, 5, 6});
  Tape tape(Mode::inference);
  const Var x = tape.input(numbers);
  const Var last = softmax(x), middle = softmax(x, 1), flat = reshape(x, {2, 3});
  EXPECT_EQ(last.softmax_logits().value().data(), x.value().data());
  EXPECT_FALSE(last.sigmoid_logits());
  // Softmax over an axis other than the last, although its elements are contiguous in memory.
  EXPECT_FALSE(middle.softmax_logits());
  EXPECT_FALSE(softmax(flat, 0).softmax_logits());
  EXPECT_TRUE(softmax(flat, 1).softmax_logits());
  EXPECT_EQ(sigmoid(x).sigmoid_logits().value().data(), x.value().data());
  EXPECT_FALSE(sigmoid(x).softmax_logits());
  EXPECT_FALSE(x.softmax_logits());
  EXPECT_FALSE(x.sigmoid_logits());
  EXPECT_FALSE((2 * softmax(x)).softmax_logits()) << "scaled: no longer a softmax";
}

TEST(Tape, CopiesConstantsAndReadsInputsInPlace) {
  Tensor numbers = Tensor::vector({1, 2});
  Tape tape;
  const Var input = tape.input(numbers), constant = tape.constant(numbers), number = tape.constant(7);
  numbers.fill(3);
  EXPECT_EQ(Tensor(input.value()), Tensor::vector({3, 3}));
  EXPECT_EQ(Tensor(constant.value()), Tensor::vector({1, 2}));
  EXPECT_EQ(number.item(), 7);
  EXPECT_EQ(number.rank(), 0);
  EXPECT_EQ(error_of<ShapeError>([&] { input.item(); }),
            "Var::item: a value of shape (2,) has 2 elements, one is required");
}

TEST(Tape, HandlesChangingBatchSizes) {
  const Mlp model;
  Tape tape;
  for (const Index batch : {3, 64, 1, 0, 200, 3}) {
    const Tensor x = uniform({batch, 6}, 7);
    tape.clear();
    const Var y = model.forward(tape.input(x));
    ASSERT_EQ(y.shape(), (Shape{batch, 3}));
    const Gradients gradients = tape.backward(sum(square(y)));
    Tape fresh;
    const Gradients expected = fresh.backward(sum(square(model.forward(fresh.input(x)))));
    for (const Parameter* parameter : model.parameters()) {
      EXPECT_EQ(Tensor(gradients[*parameter]), Tensor(expected[*parameter])) << "batch of " << batch;
    }
  }
}

TEST(Tape, AllocatesNothingInAWarmPass) {
  const Mlp model;
  const Parameter state{Tensor({3}), false};
  const Tensor x = uniform({32, 6}, 9);
  for (const Mode mode : {Mode::training, Mode::inference}) {
    Tape tape(mode, 1);
    const auto pass = [&] {
      tape.clear();
      tape.rng() = Rng(1, 2);
      const Var loss = model.loss(tape.input(x));
      tape.record_update(state, tape.parameter(state));
      return mode == Mode::inference ? loss.item() : tape.backward(loss)[model.w1][0];
    };
    const Real cold = pass();
    pass();  // the arena merges its chunks
    const std::size_t capacity = tape.capacity();
    const AllocationCounter counter;
    const Real warm = pass();
    EXPECT_EQ(counter.count(), 0);
    EXPECT_EQ(warm, cold);
    EXPECT_EQ(tape.capacity(), capacity);
  }
}

TEST(Tape, IsUsableAfterAnErrorInAPass) {
  const Mlp model;
  const Tensor x = uniform({4, 6}, 9);
  Tape tape;
  const Tensor expected(tape.backward(model.loss(tape.input(x)))[model.w1]);
  tape.clear();
  const Var y = model.forward(tape.input(x));
  EXPECT_EQ(error_of<ShapeError>([&] { affine(y, model.w1, model.b1); }),
            "affine: x is (4, 3), w is (6, 5) and b is (5,); x (..., in), w (in, out) and b (out) are required");
  tape.clear();
  EXPECT_EQ(Tensor(tape.backward(model.loss(tape.input(x)))[model.w1]), expected);

  // The same for an error in a rule, during the backward pass.
  tape.clear();
  const Var loss = model.loss(tape.input(x));
  const Var broken = tape.output({}, {loss}).backward([] { throw ValueError("a rule that fails"); });
  EXPECT_EQ(error_of<ValueError>([&] { tape.backward(broken + loss); }), "a rule that fails");
  EXPECT_EQ(Tensor(tape.backward(loss)[model.w1]), expected) << "even without clear";
  tape.clear();
  EXPECT_EQ(Tensor(tape.backward(model.loss(tape.input(x)))[model.w1]), expected);
}

TEST(Tape, SeedsItsGenerator) {
  Tape a(Mode::training, 3), b(Mode::training, 3), c(Mode::training, 4);
  const Real first = a.rng().uniform();
  EXPECT_EQ(b.rng().uniform(), first);
  EXPECT_NE(c.rng().uniform(), first);
  a.rng() = Rng(3);
  EXPECT_EQ(a.rng().uniform(), first);
}

TEST(Tape, SixteenThreadsSharingParametersGetTheSerialBits) {
  constexpr int threads = 16, passes = 8;
  const Mlp model;
  const auto gradients_of = [&](int i) {
    const Tensor x = uniform({5 + i, 6}, static_cast<std::uint64_t>(i));
    std::vector<Tensor> result;
    Tape tape;
    for (int pass = 0; pass < passes; ++pass) {
      tape.clear();
      const Gradients gradients = tape.backward(model.loss(tape.input(x)));
      result.clear();
      for (const Parameter* parameter : model.parameters()) result.emplace_back(gradients[*parameter]);
    }
    return result;
  };
  std::vector<std::vector<Tensor>> parallel(threads);
  {
    std::vector<std::jthread> pool;
    for (int i = 0; i < threads; ++i) {
      pool.emplace_back([&, i] { parallel[static_cast<std::size_t>(i)] = gradients_of(i); });
    }
  }
  for (int i = 0; i < threads; ++i) EXPECT_EQ(parallel[static_cast<std::size_t>(i)], gradients_of(i)) << "thread " << i;
}

}  // namespace
}  // namespace cornu::testing
