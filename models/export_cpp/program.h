#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/export_cpp/export_cpp.h"
#include "cornu/models/export_cpp/op_writer.h"

namespace cornu::detail {

/// Letters and digits of C++ identifiers, whatever the locale; the underscore is neither.
constexpr bool is_cpp_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }
constexpr bool is_cpp_digit(char c) { return '0' <= c && c <= '9'; }

/// A name on one line, for a comment.
std::string in_comment(std::string name);

/// True if the name can be the namespace of a predictor: an identifier, neither a keyword nor reserved.
bool can_be_namespace(std::string_view name);

/// A predictor under construction: calls of kernels and constant arrays.
class CppProgram {
 public:
  /// input: elements of a sample.
  CppProgram(const ExportCppOptions& options, Index input);

  /// Memory for a value: the result of a call, or scratch memory passed as one of its arguments.
  CppValue make(const Shape& shape);
  /// Appends `name<templates>(arguments..., result)`. layer: its path, for a comment.
  void call(std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments,
            const CppValue& result, const std::string& layer);
  /// A function of a user's op. Throws ValueError if another text has this name.
  void define(std::string name, std::string text);

  /// A constant as an argument, or as part of an expression. Throws ValueError unless it is finite as a float.
  std::string number(const std::string& name, double value) const;
  /// An array of constants, as an argument. Throws ValueError unless all are finite, or infinite where that is allowed.
  /// name: "dense/bias".
  std::string array(const std::string& name, const Tensor& numbers, bool allows_infinity = false);
  /// Weights as two arguments: their elements and the scales of outputs. Element i belongs to output i % outputs.
  std::string weights(const std::string& name, const Tensor& kernel, Index outputs);

  /// True for all of the memory of a value, unless that is the input.
  bool is_whole(const CppValue& value) const {
    return value.number != 0 && value.offset == 0 && value.shape.size() == sizes_[value.number];
  }
  /// The complete header. about: lines of the opening comment, which say what the model is.
  std::string text(const std::string& about, const CppValue& result) const;

 private:
  struct Call {
    std::string function, layer;
    std::vector<CppArgument> arguments;
    CppValue result;
    bool may_overwrite = false;
  };
  /// Where a value is stored: at an offset in the workspace, or in the input's or output's memory.
  struct Place {
    std::size_t home = 0;  // the first of the values that share this memory
    Index offset = 0;
  };

  void need(std::string_view kernel);
  std::string free_name(const std::string& name);
  /// The value as a float, which predictors compute with. Throws ValueError unless that is finite.
  static float finite(const std::string& name, double number);
  /// Writes an array of `count` texts under a free name, and returns it as an argument. bytes: of one element.
  std::string write_array(std::string_view type, const std::string& name, Index bytes, std::size_t count,
                          const std::function<std::string(std::size_t)>& text_of);
  /// Assigns memory. A result takes over an argument that is not read afterwards; otherwise it reuses memory of values
  /// that are not read any more. Returns the size of the workspace.
  Index place(std::vector<Place>& places, std::size_t output) const;

  const ExportCppOptions& options_;
  std::vector<Index> sizes_;  // of the values
  std::vector<Call> calls_;
  std::vector<std::pair<std::string, std::string>> functions_;  // names and texts
  std::set<std::string> names_;
  std::string arrays_;
  Index weight_bytes_ = 0;
};

}  // namespace cornu::detail
