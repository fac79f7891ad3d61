#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/export_cpp/export_cpp.h"

namespace cornu::detail {

/// What names in C++ are made of, whatever the locale; an underscore is neither.
constexpr bool is_cpp_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }
constexpr bool is_cpp_digit(char c) { return '0' <= c && c <= '9'; }

/// Whether a program may call the namespace of a predictor so, as far as to_cpp() knows the names that are taken.
bool is_free_name(std::string_view name);

/// Numbers that a predictor works on: its input, its output, or what its calls leave to each other.
struct CppValue {
  std::size_t number = 0;  ///< of the memory that they are in; 0 is the predictor's input
  Shape shape;
  Index offset = 0;  ///< where in that memory
};

/// A predictor while it is put together: calls of kernels, and the arrays that these read.
class CppProgram {
 public:
  /// A predictor of samples of this shape.
  CppProgram(const ExportCppOptions& options, const Shape& input);

  /// Room for a value, which calls have yet to make or, where it is one of their inputs, may write to.
  CppValue make(const Shape& shape);
  /// Appends `kernel<templates>(inputs..., arguments, result)`.
  void call(std::string_view kernel, std::string_view templates, std::span<const CppValue> inputs,
            std::string_view arguments, const CppValue& result);

  /// What follows is of this layer, whose name goes before those of arrays.
  void enter(const std::string& layer) { path_.push_back(layer); }
  void leave() { path_.pop_back(); }
  /// "block/dense".
  std::string path() const;
  /// A line on the layer for whoever reads the header.
  void describe(std::string_view type, const Shape& made);

  /// A constant: an argument, or a part of a function's text. Throws ValueError if it is not finite.
  std::string number(const std::string& name, double value) const;
  /// An array of constants: an argument. Throws ValueError if one is not finite.
  std::string array(const std::string& name, std::span<const Real> numbers);
  /// A kernel of which every `outputs`th number is of the same output, and the factors of the outputs: two arguments.
  std::string weights(const std::string& name, const Tensor& kernel, Index outputs);
  std::string weights(const std::string& name, const Tensor& kernel) {
    return weights(name, kernel, kernel.shape()[-1]);
  }

  /// The header. `result` is what the model makes.
  std::string text(const std::string& model, const CppValue& result) const;

 private:
  struct Call {
    std::string function, arguments;
    std::vector<CppValue> inputs;
    CppValue result;
    bool may_overwrite = false;
  };
  /// Where a value is: at an offset into the workspace, unless it is the input's or the output's memory.
  struct Place {
    std::size_t home = 0;  // the first of the values that take each other's place
    Index offset = 0;
  };

  void need(std::string_view kernel);
  std::string free_name(const std::string& name);
  /// A number as the float that predictors compute with. Throws ValueError if that is not finite.
  float finite(const std::string& name, double number) const;
  void write_array(std::string_view type, const std::string& name, Index bytes, const std::vector<std::string>& texts);
  /// Lets results take the place of inputs that nobody reads after, and then the place of any values that nobody reads
  /// any more. Returns the size of the workspace.
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
