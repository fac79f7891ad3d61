#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/onnx/op_writer.h"
#include "cornu/onnx/reader.h"

namespace cornu::onnx::detail {

using Given = NodeAttribute;

/// Writes an ONNX file node by node. Values are identified by name.
class Writer {
 public:
  static constexpr Index any = -1;  // an open dimension: the batch

  /// Reserves a name for a node, an initializer or a value, and returns it: `wanted`, or `wanted_1`, `wanted_2`, ... if
  /// it is taken. Control characters become underscores; an empty name becomes "unnamed". Throws ValueError if the name
  /// is not UTF-8.
  std::string unique_name(std::string_view wanted);
  /// Adds a node with one output. Node and output share the returned name: `name`, or the op if it is empty, followed
  /// by a number and made unique.
  std::string node(std::string_view op, std::initializer_list<std::string_view> inputs,
                   std::initializer_list<Given> attributes = {}, std::string_view name = {});
  std::string node(std::string_view op, std::span<const std::string> inputs, std::span<const Given> attributes,
                   std::string_view name);
  /// Adds a node with given names of node and outputs, which come from unique_name.
  void node_of(std::string_view op, std::string_view domain, std::span<const std::string> inputs,
               std::span<const std::string> outputs, std::span<const Given> attributes, std::string_view name);
  /// Adds an initializer of float or int64 elements and returns its name, made unique.
  std::string initializer(std::string_view name, const Tensor& numbers);
  std::string initializer(std::string_view name, std::span<const Index> numbers);
  void input(std::string_view name, std::span<const Index> shape, Kind kind = Kind::real);
  void output(std::string_view name, std::span<const Index> shape, Kind kind = Kind::real);
  void metadata(std::string_view key, std::string_view value);

  /// The contents of the file.
  std::string finished(std::string_view graph_name, Index opset = 17,
                       std::span<const std::pair<std::string, Index>> other_domains = {}) const;

 private:
  void value(std::uint32_t field, std::string_view name, std::span<const Index> shape, Kind kind);

  std::string graph_, metadata_;
  std::set<std::string> names_;
  std::map<std::string, Index> taken_;
  Index count_ = 0;
};

}  // namespace cornu::onnx::detail
