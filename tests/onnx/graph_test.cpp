#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/core/memory_limit.h"
#include "cornu/onnx/description.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/protobuf.h"

/// The parts of a graph around its ops: the order of nodes, functions, and graphs within graphs.
namespace cornu {
namespace {

using testing::error_of;
using testing::expect_close;
using testing::field;
using testing::normal;
using testing::onnx_tensor;
using testing::onnx_value;

std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                 const std::string& more = "") {
  std::string bytes;
  for (const std::string& input : inputs) bytes += field(1, input);
  for (const std::string& output : outputs) bytes += field(2, output);
  return bytes + field(3, outputs.empty() ? op : outputs[0]) + field(4, op) + more;
}
std::string in_domain(const std::string& domain) { return field(7, domain); }

std::string floats(const std::vector<float>& numbers) {
  return field(4, std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)));
}

/// An attribute: a number, a reference to one of the function, a graph.
std::string number(const std::string& name, float value) {
  const std::string bits(reinterpret_cast<const char*>(&value), sizeof value);
  return field(5, field(1, name) + testing::varint(2 << 3 | 5) + bits + field(20, 1));
}
std::string reference(const std::string& name, const std::string& to) {
  return field(5, field(1, name) + field(21, to) + field(20, 1));
}
std::string graph_attribute(const std::string& name, const std::string& graph) {
  return field(5, field(1, name) + field(6, graph) + field(20, 5));
}

std::string model_of(const std::string& graph, const std::string& more = "", std::uint64_t opset = 17) {
  return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, opset)) + more;
}

/// y = w x if the sum of x is positive, else exp(x) + c, where c is an initializer of the inner graph.
std::string model_with_if() {
  const std::string then_branch = field(1, node("Mul", {"x", "w"}, {"product"})) + field(12, field(1, "product"));
  const std::string else_branch = field(1, node("Exp", {"x"}, {"e"})) + field(1, node("Add", {"e", "c"}, {"shifted"})) +
                                  field(5, onnx_tensor("c", 1, {1}, floats({10}))) + field(12, field(1, "shifted"));
  const std::string graph =
      field(1, node("ReduceSum", {"x"}, {"sum"}, field(5, field(1, "keepdims") + field(3, 0) + field(20, 2)))) +
      field(1, node("Greater", {"sum", "zero"}, {"is_positive"})) +
      field(1, node("If", {"is_positive"}, {"y"},
                    graph_attribute("then_branch", then_branch) + graph_attribute("else_branch", else_branch))) +
      field(5, onnx_tensor("zero", 1, {}, floats({0}))) + field(5, onnx_tensor("w", 1, {2}, floats({3, 4}))) +
      field(11, onnx_value("x", 1, {2})) + field(12, onnx_value("y", 1, {2}));
  return model_of(graph);
}

// ---- The order of nodes ----

TEST(OnnxGraph, NodesMayComeInAnyOrder) {
  // y = -(exp(x) + tanh(exp(x)) * relu(x)), with a value that two nodes read.
  const std::vector<std::string> nodes{
      field(1, node("Exp", {"x"}, {"e"})),        field(1, node("Tanh", {"e"}, {"t"})),
      field(1, node("Relu", {"x"}, {"r"})),       field(1, node("Mul", {"t", "r"}, {"m"})),
      field(1, node("Add", {"e", "m"}, {"sum"})), field(1, node("Neg", {"sum"}, {"y"}))};
  const std::string ports = field(11, onnx_value("x", 1, {3})) + field(12, onnx_value("y", 1, {3}));
  const Tensor x = normal({3}, 1);
  std::string in_order;
  for (const std::string& each : nodes) in_order += each;
  const Tensor expected = onnx::parse(model_of(in_order + ports)).predict(x);
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  do {
    std::string graph;
    for (const std::size_t i : order) graph += nodes[i];
    ASSERT_EQ(onnx::parse(model_of(graph + ports)).predict(x), expected);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(OnnxGraph, ACircleIsAnError) {
  const std::string ports = field(11, onnx_value("x", 1, {3})) + field(12, onnx_value("b", 1, {3}));
  const std::string graph = field(1, node("Add", {"x", "b"}, {"a"})) + field(1, node("Neg", {"a"}, {"b"}));
  EXPECT_EQ(error_of<FormatError>([&] { onnx::parse(model_of(graph + ports), "m"); }),
            "m: node 1 'b' (Neg) depends on its own output through 'a'");
  // A long chain, last node first, must not take the stack.
  std::string chain;
  for (int i = 20'000; i > 0; --i)
    chain += field(1, node("Neg", {"v" + std::to_string(i - 1)}, {"v" + std::to_string(i)}));
  chain += field(11, onnx_value("v0", 1, {1})) + field(12, onnx_value("v20000", 1, {1}));
  EXPECT_EQ(onnx::parse(model_of(chain)).predict(Tensor::vector({3})), Tensor::vector({3}));
}

// ---- Functions ----

std::string function(const std::string& name, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const std::string& nodes, const std::string& more = "") {
  std::string bytes = field(1, name) + field(10, "local") + nodes + more + field(9, field(1, "") + field(2, 17)) +
                      field(9, field(1, "local") + field(2, 1));
  for (const std::string& input : inputs) bytes += field(4, input);
  for (const std::string& output : outputs) bytes += field(5, output);
  return field(25, bytes);
}

const std::string local_domain = field(8, field(1, "local") + field(2, 1));

TEST(OnnxGraph, FunctionsAreReplacedByTheirNodes) {
  // slope(x; alpha = 0.5) = LeakyRelu(x; alpha) + t, where t = tanh(x) is a value of the function.
  const std::string slope = function(
      "slope", {"x"}, {"y", "inner"},
      field(7, node("Tanh", {"x"}, {"t"})) +
          field(7, node("LeakyRelu", {"x"}, {"l"}, reference("alpha", "steepness"))) +
          field(7, node("Add", {"l", "t"}, {"y"})) + field(7, node("Identity", {"t"}, {"inner"})),
      // a default
      field(11, field(1, "steepness") + testing::varint(2 << 3 | 5) + std::string("\0\0\0\x3f", 4) + field(20, 1)));
  // twice(x) = slope(slope(x; 0.25)), a function that calls another one. Its values have names of the caller's, too.
  const std::string twice =
      function("twice", {"t"}, {"y"},
               field(7, node("slope", {"t"}, {"x"}, in_domain("local") + number("steepness", 0.25F))) +
                   field(7, node("slope", {"x"}, {"y"}, in_domain("local"))));
  const std::string graph = field(1, node("twice", {"x"}, {"t"}, in_domain("local"))) +
                            field(1, node("twice", {"t"}, {"y"}, in_domain("local"))) +
                            field(11, onnx_value("x", 1, {4})) + field(12, onnx_value("y", 1, {4}));
  const Tensor x = normal({4}, 2);
  const auto slope_of = [](double v, double alpha) { return (v > 0 ? v : alpha * v) + std::tanh(v); };
  const auto twice_of = [&](double v) { return slope_of(slope_of(v, 0.25), 0.5); };
  Tensor expected({4});
  for (Index i = 0; i < 4; ++i) expected[i] = static_cast<Real>(twice_of(twice_of(static_cast<double>(x[i]))));
  expect_close(onnx::parse(model_of(graph, slope + twice + local_domain)).predict(x), expected, 1e-6);
}

/// describe counts the nodes of functions and inner graphs, and needs no op for a function.
TEST(OnnxGraph, IsDescribedWithItsFunctionsAndGraphs) {
  const std::string f = function("f", {"a"}, {"b"}, field(7, node("Tanh", {"a"}, {"b"})));
  const std::string graph = field(1, node("f", {"x"}, {"y"}, in_domain("local"))) + field(11, onnx_value("x", 1, {1})) +
                            field(12, onnx_value("y", 1, {1}));
  const onnx::Description one = onnx::describe(model_of(graph, f + local_domain), "m");
  EXPECT_EQ(one.unsupported, std::vector<std::string>());
  EXPECT_EQ(one.nodes, (std::map<std::string, std::int64_t>{{"Tanh", 1}, {"local.f", 1}}));
  const onnx::Description two = onnx::describe(model_with_if(), "m");
  EXPECT_EQ(two.unsupported, std::vector<std::string>());
  EXPECT_EQ(two.nodes.at("Exp"), 1);
}

TEST(OnnxGraph, AFunctionMayReturnAnInputAndLeaveOutOutputs) {
  const std::string swap = function("swap", {"a", "b"}, {"b", "a", "more"}, field(7, node("Exp", {"a"}, {"more"})));
  const std::string graph = field(1, node("swap", {"x", "z"}, {"y", ""}, in_domain("local"))) +
                            field(1, node("Sub", {"y", "x"}, {"d"})) + field(11, onnx_value("x", 1, {1})) +
                            field(11, onnx_value("z", 1, {1})) + field(12, onnx_value("d", 1, {1}));
  const auto made =
      onnx::parse(model_of(graph, swap + local_domain)).run({{"x", Tensor::vector({2})}, {"z", Tensor::vector({7})}});
  EXPECT_EQ(made.at("d"), Tensor::vector({5}));
}

TEST(OnnxGraph, FunctionsThatExpandWithoutEndAreErrors) {
  const std::string ports = field(11, onnx_value("x", 1, {1})) + field(12, onnx_value("y", 1, {1}));
  const std::string call = field(1, node("f", {"x"}, {"y"}, in_domain("local")));
  const std::string itself = function("f", {"a"}, {"b"}, field(7, node("f", {"a"}, {"b"}, in_domain("local"))));
  EXPECT_EQ(error_of<FormatError>([&] { onnx::parse(model_of(call + ports, itself + local_domain), "m"); }),
            "m: the function 'f' calls functions more than 32 deep; does it call itself?");
  // Each calls the next one four times: 4^20 nodes.
  std::string many;
  const auto name = [](int i) { return i == 0 ? std::string("f") : "f" + std::to_string(i); };
  for (int i = 0; i < 20; ++i) {
    std::string body;
    std::string from = "a";
    for (int k = 0; k < 4; ++k) {
      const std::string to = k == 3 ? "b" : "v" + std::to_string(k);
      body += field(7, i == 19 ? node("Neg", {from}, {to}) : node(name(i + 1), {from}, {to}, in_domain("local")));
      from = to;
    }
    many += function(name(i), {"a"}, {"b"}, body);
  }
  EXPECT_EQ(error_of<FormatError>([&] { onnx::parse(model_of(call + ports, many + local_domain), "m"); }),
            "m: its functions expand to more than 100000 nodes");
  // Eight deep, with names that hold those of the callers, which are long.
  many.clear();
  const std::string long_name(100'000, 'n');
  for (int i = 0; i < 8; ++i) {
    const std::string callee = i == 7 ? "" : in_domain("local");
    std::string body;
    for (const char* const to : {"v", "b"}) {
      body += field(7, field(1, *to == 'v' ? "a" : "v") + field(2, to) + field(3, long_name) +
                           field(4, i == 7 ? "Neg" : name(i + 1)) + callee);
    }
    many += function(name(i), {"a"}, {"b"}, body);
  }
  EXPECT_EQ(error_of<FormatError>([&] { onnx::parse(model_of(call + ports, many + local_domain), "m"); }),
            "m: its functions expand to names of more than 33554432 characters");
  const std::string wide = function("f", {"a"}, {"b"}, field(7, node("Neg", {"a"}, {"b"})));
  const std::string two = field(1, node("f", {"x", "x"}, {"y"}, in_domain("local")));
  EXPECT_EQ(error_of<FormatError>([&] { onnx::parse(model_of(two + ports, wide + local_domain), "m"); }),
            "m: node 'y' has 2 inputs and 1 outputs, its function 'f' has 1 and 1");
}

// ---- If ----

TEST(OnnxGraph, IfRunsTheGraphThatItsConditionSelects) {
  onnx::Model model = onnx::parse(model_with_if());
  EXPECT_EQ(model.predict(Tensor::vector({1, 2})), Tensor::vector({3, 8}));
  expect_close(model.predict(Tensor::vector({1, -2})),
               Tensor::vector({static_cast<Real>(std::exp(1.0) + 10), static_cast<Real>(std::exp(-2.0) + 10)}), 1e-5);
  std::vector<std::string> trained;
  for (const NamedParameter& each : model.parameters()) {
    if (each.parameter->trainable) trained.push_back(each.name);
  }
  EXPECT_EQ(trained, (std::vector<std::string>{"w", "c"}));  // an operand of Mul and of Add
  for (const Tensor& x : {Tensor::vector({1, 2}), Tensor::vector({1, -2})}) {
    const CheckReport report = check_gradients([&](std::span<const Var> in) { return model.forward(in[0]); }, {x});
    EXPECT_TRUE(report) << to_string(report);
  }
}

TEST(OnnxGraph, GraphsNestedTooDeepAreErrors) {
  std::string inner = field(1, node("Neg", {"x"}, {"y"})) + field(12, field(1, "y"));
  for (int i = 0; i < 100; ++i) {
    inner = field(1, node("If", {"b"}, {"y"},
                          graph_attribute("then_branch", inner) +
                              graph_attribute("else_branch", inner.substr(0, 0) + field(12, field(1, "x"))))) +
            field(12, field(1, "y"));
  }
  const std::string graph = inner + field(11, onnx_value("x", 1, {1})) + field(11, onnx_value("b", 9, {1}));
  EXPECT_NE(
      error_of<FormatError>([&] { onnx::parse(model_of(graph), "m"); }).find("its graphs are nested more than 16 deep"),
      std::string::npos);
}

TEST(OnnxGraph, FreesValuesAfterTheirLastUse) {
  // 60 values of 1 MB (in float); the first one is read again at the end.
  testing::Writer writer;
  const Index shape[] = {256, 1024};
  writer.input("x", shape);
  const std::string first = writer.node("Sin", {"x"});
  std::string last = first;
  for (int i = 0; i < 60; ++i) last = writer.node(i % 2 == 0 ? "Cos" : "Neg", {last});
  writer.output(writer.node("Add", {last, first}), shape);
  const onnx::Model model = onnx::parse(writer.finished("g"), "m");

  const Tensor x = normal({256, 1024}, 1);
  Tensor y;
  {
    // The first value, two of the chain, the input, and what the growth of the memory doubles.
    const detail::MemoryLimit limit(64 << 20, 10 * sizeof(Real) * 256 * 1024);
    y = model.predict(x);
  }
  for (Index i = 0; i < x.size(); ++i) {
    const double s = std::sin(static_cast<double>(x[i]));
    double right = s;
    for (int k = 0; k < 60; ++k) right = k % 2 == 0 ? std::cos(right) : -right;
    ASSERT_NEAR(static_cast<double>(y[i]), right + s, 1e-5);
  }
}

}  // namespace
}  // namespace cornu
