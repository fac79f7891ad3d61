#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/export_cpp/export_cpp.h"

namespace cornu::detail {

/// Letters and digits of C++ identifiers, whatever the locale; the underscore is neither.
constexpr bool is_cpp_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }
constexpr bool is_cpp_digit(char c) { return '0' <= c && c <= '9'; }

/// True if the name can be the namespace of a predictor: an identifier, neither a keyword nor reserved.
bool can_be_namespace(std::string_view name);

/// A value of the predictor: its input, its output, or an intermediate result.
struct CppValue {
  std::size_t number = 0;  ///< of its memory; 0 is the predictor's input
  Shape shape;
  Index offset = 0;  ///< in that memory, in elements
};

/// A predictor under construction: calls of kernels and constant arrays.
class CppProgram {
 public:
  /// input: shape of a sample.
  CppProgram(const ExportCppOptions& options, const Shape& input);

  /// Memory for a value: the result of a call, or scratch memory passed as one of its inputs.
  CppValue make(const Shape& shape);
  /// Appends `kernel<templates>(inputs..., arguments, result)`.
  void call(std::string_view kernel, std::string_view templates, std::span<const CppValue> inputs,
            std::string_view arguments, const CppValue& result);

  /// Starts a layer, whose name prefixes the names of its arrays.
  void enter(const std::string& layer) { path_.push_back(layer); }
  void leave() { path_.pop_back(); }
  /// "block/dense".
  std::string path() const;
  /// Adds a line about the layer to the header's opening comment.
  void describe(std::string_view type, const Shape& made);

  /// A constant as an argument, or as part of a function's text. Throws ValueError unless it is finite.
  std::string number(const std::string& name, double value) const;
  /// An array of constants, as an argument. Throws ValueError unless all are finite.
  std::string array(const std::string& name, std::span<const Real> numbers);
  std::string array(const std::string& name, const Tensor& numbers) {
    return array(name, std::span(numbers.data(), static_cast<std::size_t>(numbers.size())));
  }
  /// A kernel as two arguments: its elements and the scales of its outputs. Element i belongs to output i % outputs.
  std::string weights(const std::string& name, const Tensor& kernel, Index outputs);
  std::string weights(const std::string& name, const Tensor& kernel) {
    return weights(name, kernel, kernel.shape()[-1]);
  }

  /// The complete header. result: the model's output.
  std::string text(const std::string& model, const CppValue& result) const;

 private:
  struct Call {
    std::string function, arguments;
    std::vector<CppValue> inputs;
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
  float finite(const std::string& name, double number) const;
  /// Writes an array of `count` texts under a free name, and returns it as an argument. bytes: of one element.
  std::string write_array(std::string_view type, const std::string& name, Index bytes, std::size_t count,
                          const std::function<std::string(std::size_t)>& text_of);
  /// Assigns memory. A result takes over an input that is not read afterwards; otherwise it reuses memory of values
  /// that are not read any more. Returns the size of the workspace.
  Index place(std::vector<Place>& places, std::size_t output) const;

  const ExportCppOptions& options_;
  Shape input_;
  std::vector<Index> sizes_;  // of the values
  std::vector<Call> calls_;
  std::vector<std::string> kernels_, path_;
  std::set<std::string> names_;
  std::string arrays_, layers_;
  Index weight_bytes_ = 0;
};

}  // namespace cornu::detail
