#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/shape.h"

/// What is in an ONNX file, also where Cornu cannot run it: names, types and shapes of any kind, no values.
namespace cornu::onnx {

/// An input, an output or an initializer.
struct ValueDescription {
  std::string name{};
  std::string type{};  ///< ONNX's name of its elements, "float16"; "sequence", "map", "optional" of what is no tensor
  bool has_shape = false;
  std::vector<Index> shape{};  ///< -1 for a dimension that may be any
  bool external = false;       ///< the elements are in another file
};

struct Description {
  std::int64_t ir_version = 0;
  std::string producer;
  std::vector<std::pair<std::string, std::int64_t>> opsets;  ///< of each domain; "ai.onnx" is ONNX's own
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<ValueDescription> inputs, outputs, initializers;  ///< initializers are not among the inputs
  std::map<std::string, std::int64_t> nodes;                    ///< how many of each op: "Gemm", "ai.onnx.ml.ZipMap"
  /// All that keeps Cornu from running it, as far as shows without running it; empty if nothing does.
  std::vector<std::string> unsupported;
};

/// Throws FileError if the file cannot be read, and FormatError, naming it, if it is no protocol buffer with a graph.
Description describe(const std::string& file);
/// The same from memory; `name` is what errors call it. Takes no more memory than three times the bytes and 16 MB.
Description describe(std::string_view bytes, std::string_view name);

}  // namespace cornu::onnx
