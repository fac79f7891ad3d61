#include "cornu/tests/support/users_layers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "cornu/core/error.h"
#include "cornu/onnx/model.h"
#include "cornu/onnx/rows.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/random_graph.h"
#include "cornu/tests/support/run_trace.h"

namespace cornu {
namespace {

using testing::exported;
using testing::normal;

void expect_agreement(const Sequential& model, const std::string& bytes) {
  const onnx::Model loaded = onnx::parse(bytes);
  for (const Index batch : {1, 2, 5}) {
    SCOPED_TRACE(batch);
    const Tensor x = normal(model.input_shape()->batched(batch), 3);
    const Tensor got = loaded.predict(x), want = model.predict(x);
    ASSERT_EQ(got.shape(), want.shape());
    for (Index i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 1e-5 * std::max(1.0, std::abs(static_cast<double>(want[i])))) << "at " << i;
    }
  }
}

TEST(OnnxOfUsersLayers, PredictsAsTheModelDoes) {
  const char* const kept = std::getenv("CORNU_ONNX_FILES");  // folder for another program that checks the files
  for (const auto& [name, model] : testing::users_models()) {
    SCOPED_TRACE(name);
    if (kept != nullptr) testing::export_to(std::filesystem::path(kept) / ("users_" + name + ".onnx"), model);
    expect_agreement(model, exported(model));
  }
}

TEST(OnnxOfUsersLayers, RandomGraphsPredictAsTheModelDoes) {
  for (std::uint64_t seed = 0; seed < testing::random_graph_count(); ++seed) {
    SCOPED_TRACE(seed);
    const Sequential model = testing::random_model(seed);
    expect_agreement(model, exported(model));
  }
}

/// Calls its layers twice.
struct Twice {
  AnyLayer conv = Conv2D{.filters = 2, .kernel_size = 3, .padding = Padding::same}, norm = BatchNormalization{},
           steps = GRU{.units = 2, .return_sequences = true};
  Var forward(Var x) const {
    const Var y = norm(conv(norm(conv(x))));
    const Shape& s = y.shape();
    return steps(steps(reshape(y, {s[0], s[1] * s[2], s[3]})));
  }
  NamedLayers layers() { return {{"conv", &conv}, {"norm", &norm}, {"steps", &steps}}; }
};

TEST(OnnxOfUsersLayers, ASharedWeightIsWrittenOnce) {
  const Sequential model{Input{4, 4, 2}, Twice{}};
  const std::string bytes = exported(model);
  expect_agreement(model, bytes);
  onnx::Model loaded = onnx::parse(bytes);
  EXPECT_EQ(loaded.parameters().size(), model.parameters().size());
}

TEST(OnnxOfUsersLayers, SeveralInputsHaveTheirNames) {
  const Sequential model{Inputs{{5, 5, 1}, {3}}, testing::Weighted{}};
  const onnx::Model loaded = onnx::parse(exported(model));
  const Tensor picture = normal({4, 5, 5, 1}, 1), numbers = normal({4, 3}, 2);
  const Tensor got = loaded.run({{"input_1", picture}, {"input_2", numbers}}).at("output");
  testing::expect_close(got, model.predict(pack({picture, numbers})));
}

TEST(OnnxOfUsersLayers, ATowerThatTwoInputsPassIsWritten) {
  const Sequential model{Inputs{{2}, {2}}, testing::Same{}};
  const Tensor a = normal({4, 2}, 1), b = normal({4, 2}, 2);
  const Tensor got = onnx::parse(exported(model)).run({{"input_1", a}, {"input_2", b}}).at("output");
  testing::expect_close(got, model.predict(pack({a, b})));
}

TEST(OnnxOfUsersLayers, AnImportedModelInsideIsWrittenAgain) {
  const Sequential inner{Input{6, 6, 2}, Conv2D{.filters = 3, .kernel_size = 3, .activation = relu}, Flatten{},
                         Dense{4}};
  const Sequential model{Input{6, 6, 2}, onnx::parse(exported(inner)), Dense{3, softmax}};
  expect_agreement(model, exported(model));
  const Sequential curved{Input{4}, onnx::parse(exported(Sequential{Input{4}, Dense{3, gelu}})), Dense{2}};
  expect_agreement(curved, exported(curved));
}

/// x / (1 + |x|), as an op of its own.
Var soft_sign(Var x) {
  Var y = x.tape().output(x.shape(), {x}, "soft_sign");
  for (Index i = 0; i < x.size(); ++i) y.out()[i] = x.value()[i] / (1 + std::abs(x.value()[i]));
  return y;
}
Var unnamed(Var x) {
  Var y = x.tape().output(x.shape(), {x});
  std::copy(x.value().begin(), x.value().end(), y.out().begin());
  return y;
}

TEST(OnnxOfUsersLayers, AUsersOpRegistersItsRow) {
  const Sequential model{Input{6, 6, 2}, Conv2D{.filters = 3, .kernel_size = 3, .activation = soft_sign}, Flatten{}};
  testing::expect_error<ValueError>(
      [&] { exported(model); },
      "conv2d: the op soft_sign cannot be written to an ONNX file; onnx::register_op says how");
  onnx::register_op("soft_sign", [](onnx::OpWriter& to) {
    const std::string x = to.operand(0);
    return to.node("Div", {x, to.node("Add", {to.node("Abs", {x}), to.constant(1)})});
  });
  expect_agreement(model, exported(model));
  testing::expect_error<ValueError>(
      [] { onnx::register_op("soft_sign", [](onnx::OpWriter&) { return std::string(); }); },
      "onnx::register_op: \"soft_sign\" is registered already");
  testing::expect_error<ValueError>([] { onnx::register_op("relu", [](onnx::OpWriter&) { return std::string(); }); },
                                    "onnx::register_op: \"relu\" is registered already");
  testing::expect_error<ValueError>([] { onnx::register_op("", {}); },
                                    "onnx::register_op: a name and a function are required");
  onnx::register_op("forgotten", [](onnx::OpWriter&) { return std::string(); });
  const Activation forgotten([](Var x) { return x.tape().output(x.shape(), {x}, "forgotten"); });
  testing::expect_error<ValueError>(
      [&] {
        exported(Sequential{Input{3}, {"mine", forgotten}});
      },
      "mine: the row of the op forgotten returns no name");
}

TEST(OnnxOfUsersLayers, AValueInsideAComposedOpIsNotReadOutside) {
  struct Peeking {
    Var forward(Var x) const {
      Var inside;
      const Var y = composite(x.tape(), "square", {x}, [&] { return (inside = tanh(x)) * 2; });
      return y + inside;
    }
  };
  testing::expect_error<ValueError>(
      [] {
        exported(Sequential{Input{3}, {"mine", Peeking{}}});
      },
      "mine: the op add reads a value that a composed op makes on its way");
}

TEST(OnnxOfUsersLayers, AnOpWithoutANameIsAnError) {
  testing::expect_error<ValueError>(
      [] {
        exported(Sequential{Input{3}, {"mine", Activation{unnamed}}});
      },
      "mine: an op without a name cannot be written to an ONNX file; give Tape::output its name, and register it by "
      "onnx::register_op");
}

/// Every op that Cornu's own layers can call in inference has a row.
TEST(OnnxOfUsersLayers, EveryOpHasARow) {
  const std::vector<std::string> names = onnx::detail::op_names();
  for (const std::string& name : detail::called_op_names()) {
    if (detail::is_users_op(name)) continue;
    EXPECT_TRUE(std::find(names.begin(), names.end(), name) != names.end()) << name;
  }
}

TEST(OnnxOfUsersLayers, OtherOpsetsAreWrittenOnRequest) {
  const Sequential model{Input{5, 4}, LayerNormalization{},
                         GELU{},      MultiHeadAttention{.num_heads = 2, .key_dim = 2},
                         Dense{3},    Activation{[](Var x) { return mean(x, 1) + max(x, 1); }}};
  for (const Index opset : {13, 14, 15, 16, 17}) {
    SCOPED_TRACE(opset);
    expect_agreement(model, exported(model, {.opset = opset}));
  }
  for (const Index opset : {18, 19, 20, 21}) {
    SCOPED_TRACE(opset);
    EXPECT_EQ(exported(model, {.opset = opset}).find("Erf") == std::string::npos, opset >= 20);
  }
  testing::expect_error<ValueError>([&] { exported(model, {.opset = 12}); },
                                    "onnx::save: opset is 12; it must be from 13 to 21");
  testing::expect_error<ValueError>([&] { exported(model, {.opset = 22}); },
                                    "onnx::save: opset is 22; it must be from 13 to 21");
}

}  // namespace
}  // namespace cornu
