#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/shape.h"

/// Describes an ONNX file, whether or not Cornu can run it: names, types and shapes, without the values.
namespace cornu::onnx {

/// An input, an output or an initializer.
struct ValueDescription {
  std::string name{};
  std::string type{};  ///< ONNX's element type, such as "float16"; "sequence", "map", "optional" for other types
  bool has_shape = false;
  std::vector<Index> shape{};  ///< -1 for an open dimension
  bool external = false;       ///< the elements are in another file
};

struct Description {
  std::int64_t ir_version = 0;
  std::string producer;
  std::vector<std::pair<std::string, std::int64_t>> opsets;  ///< one per domain; ONNX's default domain is "ai.onnx"
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<ValueDescription> inputs, outputs, initializers;  ///< initializers are not among the inputs
  std::map<std::string, std::int64_t> nodes;                    ///< count of each op: "Gemm", "ai.onnx.ml.ZipMap"
  /// All reasons why Cornu cannot run the model, as far as the file shows them; empty if there are none.
  std::vector<std::string> unsupported;
};

/// Throws FileError if the file cannot be read, FormatError with its name if it is not a protocol buffer with a graph.
Description describe(const std::string& file);
/// The same from memory; errors call it `name`. Allocates at most three times the size of `bytes` plus 16 MB.
Description describe(std::string_view bytes, std::string_view name);

}  // namespace cornu::onnx
