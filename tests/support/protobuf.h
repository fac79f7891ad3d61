#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

/// Hand-made protocol buffers, for files that Cornu's writers do not produce.
namespace cornu::testing {

inline std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>((number & 127) | 128);
  return bytes + static_cast<char>(number);
}

inline std::string field(std::uint32_t number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string field(std::uint32_t number, std::uint64_t value) { return varint(number << 3) + varint(value); }

/// A TensorProto of ONNX without its elements.
inline std::string onnx_tensor(const std::string& name, std::uint64_t type, std::initializer_list<std::uint64_t> shape,
                               const std::string& more = "") {
  std::string bytes;
  for (const std::uint64_t dimension : shape) bytes += field(1, dimension);
  return bytes + field(2, type) + field(8, name) + more;
}

/// A ValueInfoProto of a tensor; a dimension of -1 is unknown.
inline std::string onnx_value(const std::string& name, std::uint64_t type, std::initializer_list<int> shape) {
  std::string dimensions;
  for (const int dimension : shape) {
    dimensions += field(1, dimension < 0 ? field(2, "N") : field(1, static_cast<std::uint64_t>(dimension)));
  }
  return field(1, name) + field(2, field(1, field(1, type) + field(2, dimensions)));
}

inline std::string onnx_node(const std::string& op, const std::string& domain = "", const std::string& more = "") {
  return field(1, "x") + field(2, op + "_y") + field(4, op) + (domain.empty() ? "" : field(7, domain)) + more;
}

/// A model with the ops, types and attributes that Cornu does not support.
inline std::string unsupported_onnx_model() {
  const std::string graph_attribute = field(1, "body") + field(20, 5);
  const std::string graph =
      field(1, onnx_node("Gemm")) + field(1, onnx_node("Gemm")) + field(1, onnx_node("ZipMap", "ai.onnx.ml")) +
      field(1, onnx_node("Loop", "", field(5, graph_attribute))) + field(1, onnx_node("NonZero\n  Forged: 1")) +
      field(5, onnx_tensor("half", 10, {2, 3}, field(9, std::string(12, '\0')))) +
      field(5, onnx_tensor("text", 8, {1}, field(6, "a"))) +
      field(5,
            onnx_tensor("far", 1, {1000, 1000}, field(13, field(1, "location") + field(2, "m.data")) + field(14, 1))) +
      field(5, onnx_tensor("bytes", 2, {4}, field(9, "abcd"))) + field(11, onnx_value("x", 10, {-1, 3})) +
      field(11, onnx_value("bytes", 2, {4})) + field(12, onnx_value("label", 8, {-1})) +
      field(12, field(1, "scores") + field(2, field(4, field(1, field(5, "")))));
  return field(1, 8) + field(2, "someone") + field(7, graph) + field(8, field(1, "") + field(2, 21)) +
         field(8, field(1, "ai.onnx.ml") + field(2, 3)) + field(14, field(1, "author") + field(2, "a\nb"));
}

}  // namespace cornu::testing
