#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/models/export_cpp/op_writer.h"

namespace cornu::detail {

/// The calls of one function of a header, and the memory of the values that they pass on.
class CppCalls {
 public:
  struct Call {
    std::string function;  ///< "dense<1, 4, 2>"
    std::vector<CppArgument> arguments{};
    std::optional<CppValue> result{};  ///< the last argument; nullopt: it is in `arguments`
    std::string layer{};               ///< its path, for a comment
    bool may_overwrite = false;        ///< the result may share memory with an argument
    std::string before{};              ///< text before the call: "loss += "
    Index rows = 1;                    ///< how often it is called, each time for the next row of its values
  };
  /// The statements of the function, and the elements of its workspace.
  struct Body {
    std::string text;
    Index workspace = 0;
  };

  /// input: elements of value 0, which is called "input".
  explicit CppCalls(Index input) : sizes_{input} {}

  /// Memory for a value: the result of a call, or scratch memory passed as one of its arguments.
  CppValue make(const Shape& shape);
  void add(Call call) { calls_.push_back(std::move(call)); }
  /// True for all of the memory of a value, unless that is the input.
  bool is_whole(const CppValue& value) const {
    return value.number != 0 && value.offset == 0 && value.shape.size() == sizes_[value.number];
  }

  /// output: the value that is written to `output`, if any. memory: the name of the workspace.
  Body body(const std::optional<CppValue>& output, std::string_view memory) const;

 private:
  /// Where a value is stored: at an offset in the workspace, or in the input's or output's memory.
  struct Place {
    std::size_t home = 0;  // the first of the values that share this memory
    Index offset = 0;
  };

  /// Assigns memory. A result takes over an argument that is not read afterwards; otherwise it reuses memory of values
  /// that are not read any more. Returns the size of the workspace.
  Index place(std::vector<Place>& places, const std::optional<CppValue>& output) const;

  std::vector<Index> sizes_;  // of the values
  std::vector<Call> calls_{};
};

/// A name on one line, for a comment.
std::string in_comment(std::string_view name);

}  // namespace cornu::detail
