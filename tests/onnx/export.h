#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "cornu/formats/json.h"
#include "cornu/onnx/reader.h"
#include "cornu/onnx/save.h"
#include "cornu/tests/support/bytes.h"

/// How tests export models: what comes out has its names checked. save_test.cpp sees that no test does it otherwise.
namespace cornu::testing {

/// No control characters, and UTF-8 as the reader of JSON understands it.
inline bool is_legal_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  try {
    parse_json(text + '"');
  } catch (const Error&) {
    return false;
  }
  return !name.empty();
}

/// Names of nodes are unique; so are those of values (inputs, initializers, nodes' outputs), each of which is made
/// before it is used.
inline void expect_well_named(std::string_view bytes) {
  const onnx::detail::GraphMessage graph = onnx::detail::read_model(bytes, "export").graph;
  std::set<std::string_view> nodes, values;
  const auto defined = [&](std::string_view name) {
    EXPECT_TRUE(values.insert(name).second) << "two values are called " << name;
    EXPECT_TRUE(is_legal_name(name)) << name;
  };
  for (const auto& input : graph.inputs) defined(input.name);
  for (const auto& tensor : graph.initializers) defined(tensor.name);
  for (const auto& node : graph.nodes) {
    EXPECT_TRUE(nodes.insert(node.name).second) << "two nodes are called " << node.name;
    EXPECT_TRUE(is_legal_name(node.name)) << node.name;
    for (const std::string_view input : node.inputs) {
      EXPECT_TRUE(input.empty() || values.count(input) == 1) << node.name << " uses " << input << " before it is made";
    }
    for (const std::string_view output : node.outputs) {
      if (!output.empty()) defined(output);
    }
  }
  for (const auto& output : graph.outputs) EXPECT_EQ(values.count(output.name), 1U) << output.name;
}

/// The bytes of a file.
inline std::string exported(const Sequential& model, const onnx::SaveOptions& options = {}) {
  std::string bytes = onnx::serialize(model, options);
  expect_well_named(bytes);
  return bytes;
}

inline void export_to(const std::string& file, const Sequential& model) {
  onnx::save(model, file);
  expect_well_named(content(file));
}

}  // namespace cornu::testing
