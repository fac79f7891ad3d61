#include "cornu/layers/any_layer.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::run;

struct Mish {
  Var forward(Var x) const { return x * tanh(softplus(x)); }
};

struct NotConst {
  Var forward(Var x) { return x; }
};

struct NotCopyable {
  std::unique_ptr<int> owned;
  Var forward(Var x) const { return x; }
};

struct ReturnsNothing {
  void forward(Var) const {}
};

static_assert(Layer<Mish> && Layer<Dense> && Layer<AnyLayer>);
static_assert(!Layer<NotConst> && !Layer<NotCopyable> && !Layer<ReturnsNothing> && !Layer<int>);
static_assert(std::is_nothrow_move_constructible_v<AnyLayer>);

/// A layer with a parameter and no build: ready when constructed.
struct Scale {
  Parameter factor{Tensor::scalar(2)};
  Var forward(Var x) const { return x * factor; }
  NamedParameters parameters() { return {{"factor", &factor}}; }
};

struct DropsTheBatch {
  Var forward(Var x) const { return sum(x); }
};

struct Throws {
  Var forward(Var) const { throw std::runtime_error("not ours"); }
  Shape build(const Shape&, Rng&) { throw std::runtime_error("not ours either"); }
};

/// Requires samples of two elements; the error is thrown by an op.
struct Picky {
  Parameter weights{Tensor::matrix({{1}, {2}})};
  Var forward(Var x) const { return matmul(x, weights); }
};

template <class T>
struct Wrapper {
  T inner;
  Var forward(Var x) const { return inner.forward(x); }

  struct Nested {
    Var forward(Var x) const { return x; }
  };
};

template <int>
struct Numbered {
  Var forward(Var x) const { return x; }
};

template <class>
auto local_to_a_template() {
  struct InTemplate {
    Var forward(Var x) const { return x; }
  };
  return InTemplate{};
}

TEST(AnyLayer, AcceptsAStructWithOnlyForward) {
  const AnyLayer layer = Mish{};
  EXPECT_NEAR(run(layer, Tensor::vector({2}))[0], 1.9439589595339946, testing::rounding);
  EXPECT_EQ(layer.parameters().size(), 0U);
  EXPECT_EQ(layer.input_shape(), std::nullopt);
}

TEST(AnyLayer, InfersTheOutputShapeByForwardIfThereIsNoBuild) {
  Rng rng(1);
  EXPECT_EQ(AnyLayer(Mish{}).build({3, 4}, rng), (Shape{3, 4}));
  EXPECT_EQ(AnyLayer(Picky{}).build({5, 2}, rng), (Shape{5, 1}));
  EXPECT_EQ(AnyLayer(Mish{}).build({}, rng), Shape());
}

TEST(AnyLayer, RejectsALayerThatDropsTheBatchAxis) {
  Rng rng(1);
  AnyLayer layer("total", DropsTheBatch{});
  EXPECT_EQ(error_of<ShapeError>([&] { layer.build({3}, rng); }),
            "total: forward returned shape () for a batch of one sample of shape (3,); the first axis must remain the "
            "batch axis");
}

TEST(AnyLayer, CopiesAreDeep) {
  AnyLayer original = Dense{2};
  Rng rng(1);
  original.build({3}, rng);
  const Tensor before = original.as<Dense>()->kernel.value;

  AnyLayer copy = original;
  ASSERT_EQ(copy.parameters().size(), 2U);
  for (const NamedParameter& named : copy.parameters()) named.parameter->value.fill(9);
  EXPECT_EQ(original.as<Dense>()->kernel.value, before);
  EXPECT_EQ(copy.as<Dense>()->kernel.value, Tensor::full({3, 2}, 9));

  AnyLayer assigned = Mish{};
  assigned = copy;
  assigned.as<Dense>()->kernel.value.fill(7);
  EXPECT_EQ(copy.as<Dense>()->kernel.value, Tensor::full({3, 2}, 9));
}

TEST(AnyLayer, SurvivesSelfAssignment) {
  AnyLayer layer("scale", Scale{});
  AnyLayer& same = layer;
  layer = same;
  EXPECT_EQ(layer.name(), "scale");
  EXPECT_EQ(run(layer, Tensor::vector({3})), Tensor::vector({6}));
  layer = std::move(same);
  EXPECT_EQ(layer.name(), "scale");
  EXPECT_EQ(run(layer, Tensor::vector({3})), Tensor::vector({6}));
}

TEST(AnyLayer, MovedFromThrowsOnUseAndCanBeAssigned) {
  AnyLayer layer = Scale{};
  const AnyLayer taken = std::move(layer);
  EXPECT_EQ(run(taken, Tensor::vector({3})), Tensor::vector({6}));

  const std::string text = "an object was used after it was moved from; it can only be assigned to or destroyed";
  Rng rng(1);
  EXPECT_EQ(error_of<StateError>([&] { run(layer, Tensor::vector({3})); }), text);
  EXPECT_EQ(error_of<StateError>([&] { layer.build({3}, rng); }), text);
  EXPECT_EQ(error_of<StateError>([&] { (void)layer.parameters(); }), text);
  EXPECT_EQ(error_of<StateError>([&] { (void)layer.type(); }), text);
  EXPECT_EQ(error_of<StateError>([&] { (void)layer.input_shape(); }), text);
  EXPECT_EQ(error_of<StateError>([&] { (void)layer.as<Scale>(); }), text);

  const AnyLayer copy_of_nothing = layer;
  EXPECT_EQ(error_of<StateError>([&] { (void)copy_of_nothing.as<Scale>(); }), text);
  layer = Mish{};
  EXPECT_EQ(layer.type(), "Mish");
}

TEST(AnyLayer, HasANameAndReturnsTheLayer) {
  AnyLayer layer{"hidden", Dense{5}};
  EXPECT_EQ(layer.name(), "hidden");
  EXPECT_EQ(layer.type(), "Dense");
  ASSERT_NE(layer.as<Dense>(), nullptr);
  EXPECT_EQ(layer.as<Dense>()->units, 5);
  EXPECT_EQ(std::as_const(layer).as<Dense>(), layer.as<Dense>());
  EXPECT_EQ(layer.as<Mish>(), nullptr);
  layer.rename("first");
  EXPECT_EQ(layer.name(), "first");
  EXPECT_EQ(AnyLayer(Dense{5}).name(), "");
}

TEST(AnyLayer, AListCanMixNamedAndUnnamedLayers) {
  const std::vector<AnyLayer> layers{{"hidden", Dense{128, relu}}, Dense{10}, Mish{}, Input{28, 28}};
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_EQ(layers[0].name(), "hidden");
  EXPECT_EQ(layers[1].name(), "");
  EXPECT_EQ(layers[3].input_shape(), (Shape{28, 28}));
}

TEST(AnyLayer, ListsTheParametersOfAConstLayer) {
  const AnyLayer layer = Scale{};
  const auto parameters = layer.parameters();
  ASSERT_EQ(parameters.size(), 1U);
  EXPECT_EQ(parameters[0].first, "factor");
  EXPECT_EQ(parameters[0].second, &layer.as<Scale>()->factor);
}

TEST(AnyLayer, FindsTheNameOfAStructDeclaredAnywhere) {
  struct Local {
    Var forward(Var x) const { return x; }
  };
  const auto from_lambda = [](int) {
    struct InLambda {
      Var forward(Var x) const { return x; }
    };
    return InLambda{};
  };
  EXPECT_EQ(AnyLayer(Dense{1}).type(), "Dense");
  EXPECT_EQ(AnyLayer(Mish{}).type(), "Mish");
  EXPECT_EQ(AnyLayer(Local{}).type(), "Local");
  EXPECT_EQ(AnyLayer(from_lambda(0)).type(), "InLambda");
  EXPECT_EQ(AnyLayer(Numbered<3>{}).type(), "Numbered");
  EXPECT_EQ(AnyLayer(Wrapper<Mish>{}).type(), "Wrapper");
  EXPECT_EQ(AnyLayer(Wrapper<Wrapper<Dense>>{{{1}}}).type(), "Wrapper");
  EXPECT_EQ(AnyLayer(Wrapper<Local>::Nested{}).type(), "Nested");
  EXPECT_EQ(AnyLayer(Wrapper<Wrapper<int>>::Nested{}).type(), "Nested");
  EXPECT_EQ(AnyLayer(local_to_a_template<Wrapper<int>>()).type(), "InTemplate");
}

TEST(AnyLayer, ParsesTheTypeNamesOfBothCompilers) {
  using detail::declared_name;
  EXPECT_EQ(declared_name("std::string_view f() [with T = cornu::Dense; std::string_view = s<char>]"), "Dense");
  EXPECT_EQ(declared_name("std::string_view f() [T = cornu::Dense]"), "Dense");
  EXPECT_EQ(declared_name("f() [T = Plain]"), "Plain");
  EXPECT_EQ(declared_name("f() [with T = {anonymous}::A<b::C<3>[2]>; s = t]"), "A");
  EXPECT_EQ(declared_name("f() [T = (anonymous namespace)::A<b::C<3>>::D]"), "D");
  EXPECT_EQ(declared_name("f() [with T = g<int>(std::vector<int>)::<lambda(int) -> int>::E; s = t]"), "E");
  EXPECT_EQ(declared_name("f() [with T = g() [with U = h::I]::F; s = t]"), "F");
  EXPECT_EQ(declared_name("another compiler's"), "another compiler's");
}

TEST(AnyLayer, PrefixesErrorsWithTheNameOnceAndKeepsTheirType) {
  AnyLayer layer{"hidden", Dense{4}};
  const Tensor x(Shape{2, 3});
  Rng rng(1);
  EXPECT_EQ(error_of<StateError>([&] { run(layer, x); }),
            "hidden: Dense: used before it was built; call build(shape of a sample, rng), or put it into a model");
  layer.build({5}, rng);
  EXPECT_EQ(error_of<ShapeError>([&] { run(layer, x); }),
            "hidden: Dense: an input of shape (2, 3); its last axis must be 5");
  EXPECT_EQ(error_of<ShapeError>([&] { layer.build({}, rng); }), "hidden: Dense: a sample of shape () has no features");
  layer = AnyLayer("wrong", Dense{0});
  EXPECT_EQ(error_of<ValueError>([&] { layer.build({5}, rng); }), "wrong: Dense: units is 0; it must be positive");
}

TEST(AnyLayer, PrefixesErrorsOfAnUnnamedLayerWithItsTypeOnce) {
  Rng rng(1);
  AnyLayer dense = Dense{0};
  EXPECT_EQ(error_of<ValueError>([&] { dense.build({5}, rng); }), "Dense: units is 0; it must be positive");
  AnyLayer picky = Picky{};
  const std::string text = "Picky: matmul: a is (1, 3) and b is (2, 1); 3 columns of a do not match 2 rows of b";
  EXPECT_EQ(error_of<ShapeError>([&] { picky.build({3}, rng); }), text);
  EXPECT_EQ(error_of<ShapeError>([&] { run(picky, Tensor(Shape{1, 3})); }), text);
}

TEST(AnyLayer, LeavesOtherExceptionsUnchanged) {
  AnyLayer layer{"broken", Throws{}};
  Rng rng(1);
  EXPECT_EQ(error_of<std::runtime_error>([&] { run(layer, Tensor(Shape{1})); }), "not ours");
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({1}, rng); }), "not ours either");
}

TEST(SnakeCase, ConvertsLikeKeras) {
  EXPECT_EQ(detail::snake_case("Dense"), "dense");
  EXPECT_EQ(detail::snake_case("ReLU"), "re_lu");
  EXPECT_EQ(detail::snake_case("LeakyReLU"), "leaky_re_lu");
  EXPECT_EQ(detail::snake_case("ELU"), "elu");
  EXPECT_EQ(detail::snake_case("Conv2D"), "conv2d");
  EXPECT_EQ(detail::snake_case("Conv2DTranspose"), "conv2d_transpose");
  EXPECT_EQ(detail::snake_case("MaxPooling2D"), "max_pooling2d");
  EXPECT_EQ(detail::snake_case("LSTMCell"), "lstm_cell");
  EXPECT_EQ(detail::snake_case("BatchNormalization"), "batch_normalization");
  EXPECT_EQ(detail::snake_case("my_layer"), "my_layer");
  EXPECT_EQ(detail::snake_case("My_Layer"), "my_layer");
  EXPECT_EQ(detail::snake_case(""), "");
}

}  // namespace
}  // namespace cornu
