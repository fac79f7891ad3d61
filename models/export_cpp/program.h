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

namespace cornu::detail {

/// Letters and digits of C++ identifiers, whatever the locale; the underscore is neither.
constexpr bool is_cpp_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }
constexpr bool is_cpp_digit(char c) { return '0' <= c && c <= '9'; }

/// True if the name can be the namespace of a predictor: an identifier, neither a keyword nor reserved.
bool can_be_namespace(std::string_view name);

/// A header under construction: the functions and constant arrays that its calls need.
class CppProgram {
 public:
  explicit CppProgram(const ExportCppOptions& options) : options_(options) {}

  /// A function of a user's op. Throws ValueError if another text has this name.
  void define(std::string name, std::string text);
  /// Adds a function of this name, and those that it calls. Returns true if its result may share memory with an
  /// argument. Throws ValueError if there is none.
  bool need(std::string_view name);

  /// A constant in an expression. Throws ValueError unless it is finite as a float.
  static std::string number(const std::string& name, double value);
  /// An array of constants, as an argument. Throws ValueError unless all are finite, or infinite where that is allowed.
  /// name: "dense/bias".
  std::string array(const std::string& name, const Tensor& numbers, bool allows_infinity = false);
  /// Weights as two arguments: their elements and the scales of outputs. Element i belongs to output i % outputs.
  std::string weights(const std::string& name, const Tensor& kernel, Index outputs);

  /// Bytes of all arrays.
  Index weight_bytes() const { return weight_bytes_; }
  /// The complete header. about: the opening comment. declarations, functions: before and after the details.
  std::string text(const std::string& about, const std::string& declarations, const std::string& functions) const;

 private:
  struct Array {
    std::string type, name, identifier, elements;  // name: "dense/bias"; elements: from the bracket on
  };

  std::string free_name(const std::string& name);
  /// The value as a float, which headers compute with. Throws ValueError unless that is finite.
  static float finite(const std::string& name, double number);
  /// Writes an array of `count` texts under a free name, unless there is one of this name and these elements, and
  /// returns it as an argument. bytes: of one element.
  std::string write_array(std::string_view type, const std::string& name, Index bytes, std::size_t count,
                          const std::function<std::string(std::size_t)>& text_of);

  const ExportCppOptions& options_;
  std::vector<std::pair<std::string, std::string>> functions_{};  // names and texts
  std::set<std::string> names_{};
  std::vector<Array> arrays_{};
  Index weight_bytes_ = 0;
};

}  // namespace cornu::detail
