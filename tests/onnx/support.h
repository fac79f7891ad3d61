#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cornu/onnx/model.h"
#include "cornu/onnx/writer.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/tensors.h"

namespace cornu::testing {

using onnx::detail::Given;
using onnx::detail::Kind;
using onnx::detail::Writer;

using List = std::vector<Index>;

inline void expect_close(const Tensor& a, const Tensor& b, double tolerance = 1e-5) {
  ASSERT_EQ(a.shape(), b.shape());
  for (Index i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(a[i]), static_cast<double>(b[i]), tolerance) << "at " << i;
  }
}

inline onnx::Model fixture(const std::string& name) {
  return onnx::load(source_path("tests/onnx/fixtures/" + name + ".onnx"));
}

struct OneNode {
  std::string op;
  std::vector<Shape> inputs;  // x0, x1, ...
  std::vector<Given> attributes{};
  Index opset = 17;
  std::string domain{};
};

/// Serializes a graph with one node, from inputs x0, x1, ... to the output y.
inline std::string file_of(const OneNode& node) {
  Writer writer;
  std::vector<std::string> names;
  for (const Shape& shape : node.inputs) {
    names.push_back("x" + std::to_string(names.size()));
    writer.input(names.back(), shape.dimensions());
  }
  const std::string y = "y";
  writer.node_of(node.op, node.domain, names, std::span(&y, 1), node.attributes, "the node");
  writer.output(y, {});
  return writer.finished("test", node.opset);
}

}  // namespace cornu::testing
