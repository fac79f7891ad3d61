#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"

/// What ONNX's model tests do not cover: gradients, and the semantics of older opsets.
namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::file_of;
using testing::List;
using testing::normal;
using testing::OneNode;
using testing::Writer;

/// The table of docs/onnx.md, made from the tables of ops.
std::string table_of_ops() {
  using namespace onnx::detail;
  std::map<std::string, std::string> rows;
  const auto add = [&](const Op& op, const std::string& domain) {
    std::string takes;
    const auto kind = [&](Kinds bit, const char* name) {
      if ((op.takes & bit) != 0) takes += (takes.empty() ? "" : ", ") + std::string(name);
    };
    kind(reals, "floats");
    kind(onnx::detail::integers, "integers");
    kind(booleans, "booleans");
    const char* const gradient = op.gradient == Gradient::yes ? "yes" : op.gradient == Gradient::zero ? "0" : "no";
    rows[std::string(op.name) + domain] =
        message("| {}{} | {} | {} | {} |\n", op.name, domain, op.since, takes, gradient);
  };
  for (const auto& ops : all_ops()) {
    for (const Op& op : ops) add(op, "");
  }
  for (const Op& op : training_ops()) add(op, " (ai.onnx.preview.training)");
  std::string table = "| op | as of opset | data | gradient |\n|---|---|---|---|\n";
  for (const auto& [name, row] : rows) table += row;
  return table;
}

TEST(OnnxOps, AreInTheTableOfTheDocs) {
  const std::string docs = testing::content(testing::source_path("docs/onnx.md")), table = table_of_ops();
  EXPECT_NE(docs.find("\n" + table + "\n"), std::string::npos)
      << "docs/onnx.md must contain this table, followed by an empty line:\n"
      << table;
}

TEST(OnnxTake, AccumulatesGradientsOfRepeatedPositionsAndFillsMissingOnes) {
  const std::vector<Index> positions{2, -1, 0, 2};
  const auto f = [&](std::span<const Var> in) { return onnx::detail::take(in[0], 1, positions, 7); };
  const Tensor x = normal({2, 3, 2}, 1);
  const CheckReport report = check_gradients(f, {x});
  EXPECT_TRUE(report) << to_string(report);
  Tape tape(Mode::inference);
  const Var in = tape.input(x);
  const Tensor y(f({&in, 1}).value());
  EXPECT_EQ(y.shape(), (Shape{2, 4, 2}));
  EXPECT_EQ(y.at({1, 0, 1}), x.at({1, 2, 1}));
  EXPECT_EQ(y.at({1, 1, 1}), 7);
  EXPECT_EQ(y.at({1, 3, 0}), y.at({1, 0, 0}));
  const std::vector<Index> outside{3};
  expect_error<ShapeError>([&] { onnx::detail::take(in, 1, outside); }, "position 3 is outside of axis 1 of (2, 3, 2)");
}

TEST(OnnxOps, ASumOfAConvolutionAndAnInputHasTheAxesOfTheFile) {
  Writer writer;
  const Index shape[] = {2, 2, 3, 3};
  writer.input("x", shape);
  const std::string kernel = writer.initializer("kernel", Tensor::full({2, 2, 1, 1}, 1));
  const std::string bias = writer.initializer("bias", normal({2, 1, 1}, 1));
  const std::string y = writer.node("Conv", {"x", kernel});
  writer.output(writer.node("Add", {writer.node("Add", {y, "x"}), bias}), shape);
  const Tensor x = normal({2, 2, 3, 3}, 1);
  const Tensor came = onnx::parse(writer.finished("g")).predict(x), b = normal({2, 1, 1}, 1);
  for (Index n = 0; n < 2; ++n) {
    for (Index c = 0; c < 2; ++c) {
      for (Index p = 0; p < 9; ++p) {
        const Real sum = x[(n * 2) * 9 + p] + x[(n * 2 + 1) * 9 + p];
        EXPECT_NEAR(came[(n * 2 + c) * 9 + p], sum + x[(n * 2 + c) * 9 + p] + b[c], 1e-5);
      }
    }
  }
}

TEST(OnnxOps, NameTheNodeThatRunsOutOfMemory) {
  const Index one = 1, many[] = {Shape::max_size};
  const auto error = [&](const char* op, bool of_x) {
    Writer writer;
    writer.input("x", {&one, 1});
    const std::string shape = writer.initializer("shape", many);
    const std::string y = of_x ? writer.node(op, {"x", shape}) : writer.node(op, {shape});
    writer.output(y, many);
    const onnx::Model model = onnx::parse(writer.finished("g"), "m");
    return testing::error_of<ShapeError>([&] { model.predict(Tensor({1})); });
  };
  EXPECT_EQ(error("Expand", true), "m: node 'Expand_0' (Expand): not enough memory for its result");
  EXPECT_EQ(error("ConstantOfShape", false),
            "m: node 'ConstantOfShape_0' (ConstantOfShape): not enough memory for its result");
}

TEST(OnnxOps, RejectClassWeightsThatDoNotMatchTheClasses) {
  for (const Index count : {2, 4}) {
    Writer writer;
    const Index scores[] = {2, 3};
    writer.input("x", scores);
    const std::string labels = writer.initializer("labels", std::vector<Index>{2, 0});
    const std::string weights = writer.initializer("weights", normal({count}, 1));
    writer.output(writer.node("NegativeLogLikelihoodLoss", {"x", labels, weights}), {});
    const onnx::Model model = onnx::parse(writer.finished("g"), "m");
    expect_error<ShapeError>(
        [&] {
          model.predict(normal({2, 3}, 1));
        },
        "m: node 'NegativeLogLikelihoodLoss_0' (NegativeLogLikelihoodLoss): class weights of shape (" +
            std::to_string(count) + ",) for 3 classes");
  }
}

TEST(OnnxOps, NameUnsupportedInputsAndOptions) {
  const auto refusal = [](const OneNode& node) {
    std::vector<Tensor> inputs;
    for (const Shape& shape : node.inputs) inputs.emplace_back(shape);
    Tape tape(Mode::inference);
    std::vector<Var> vars;
    for (const Tensor& input : inputs) vars.push_back(tape.input(input));
    return testing::error_of<Error>([&] { onnx::parse(file_of(node), "m").forward(vars); });
  };
  EXPECT_EQ(refusal({"Conv", {{1, 1, 2, 2, 2}, {1, 1, 1, 1, 1}}}),
            "m: node 'the node' (Conv): an input of shape (1, 1, 2, 2, 2); (batch, channels, height, width) or (batch, "
            "channels, length) is required");
  EXPECT_EQ(refusal({"Conv", {{1, 1, 2, 2}, {1, 1, 3, 3}}}),
            "m: node 'the node' (Conv): 2 pixels and 0 of padding are smaller than the window, which spans 3");
  EXPECT_EQ(refusal({"MaxPool", {{1, 1, 2, 2}}}), "m: node 'the node' (MaxPool): attribute 'kernel_shape' is missing");
  EXPECT_EQ(refusal({"Elu", {{1}}, {{"alpha", Index{1}}}}),
            "m: node 'the node' (Elu): attribute 'alpha' holds an int, expected a float");
  EXPECT_EQ(refusal({"Reshape", {{2}, {1}}}),
            "m: node 'the node' (Reshape): input 1 holds float; whole numbers are required");
  EXPECT_EQ(refusal({"Cast", {{1}}, {{"to", Index{8}}}}),
            "m: node 'the node' (Cast): elements of type string, which Cornu does not support");
  EXPECT_EQ(refusal({"Add", {{2, 3}, {3}}, {}, 6}),
            "m: node 'the node' (Add): operands of shapes (2, 3) and (3,) without attribute 'broadcast'");
  EXPECT_EQ(refusal({"BatchNormalization", {{2, 3}, {3}, {3}, {3}, {3}}, {}, 6}),
            "m: node 'the node' (BatchNormalization): is_test is 0 (the model was exported in training mode)");
  EXPECT_EQ(refusal({"GRU", {{0, 1, 1}, {1, 3, 1}, {1, 3, 1}}}),
            "m: node 'the node' (GRU): an input of shape (1, 0, 1), batch first; at least one step is required");
  EXPECT_EQ(refusal({"LSTM", {{1, 1, 1}, {1, 4, 1}, {1, 3, 1}}}),
            "m: node 'the node' (LSTM): weights of shape (1, 3, 1); 4 gates of 1 are required");
}

}  // namespace
}  // namespace cornu
