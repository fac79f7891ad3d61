#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "cornu/formats/json.h"
#include "cornu/onnx/reader.h"
#include "cornu/onnx/save.h"
#include "cornu/tests/support/bytes.h"

/// Exports models for tests and checks the names in the file. save_test.cpp verifies that all tests export through
/// this.
namespace cornu::testing {

/// A valid name has no control characters and is UTF-8, as the JSON reader defines it.
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

/// Node names are unique. Value names (inputs, initializers, outputs of nodes) are unique, and defined before use.
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

/// The serialized model.
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
