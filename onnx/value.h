#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/tensor.h"
#include "cornu/onnx/fields.h"

/// The values of a pass over a graph: floats, whole numbers and booleans.
namespace cornu::onnx::detail {

enum class Kind { real, integer, boolean };

constexpr Kind kind_of(ElementType type) {
  switch (type) {
    case ElementType::float32:
    case ElementType::float64:
    case ElementType::float16:
    case ElementType::bfloat16:
      return Kind::real;
    case ElementType::boolean:
      return Kind::boolean;
    default:
      return Kind::integer;
  }
}

/// The order of a value's axes in memory. ONNX stores images with the channels first, Cornu computes with the channels
/// last. A value keeps the layout that the last op produced until another op needs a different one.
enum class Layout {
  plain,          // the order of the ONNX file
  channels_last,  // (batch, pixels..., channels) instead of (batch, channels, pixels...)
  kernel,         // of a convolution: (rows, columns, in, out) instead of (out, in, rows, columns)
  transposed,     // of a matrix product: (in, out) instead of (out, in)
};

/// A tensor outside of a pass. Floats of all types are `real`; whole numbers and booleans (1 and 0) are `integers`.
struct Elements {
  ElementType type = ElementType::float32;
  Tensor real{};
  Shape shape{};  // of the integers
  std::vector<Index> integers{};

  Kind kind() const { return kind_of(type); }
};

/// A value during a pass. It lives in the tape's memory and must not need a destructor.
struct Value {
  ElementType type = ElementType::float32;
  Layout layout = Layout::plain;
  /// Floats: the elements. Whole numbers: the same ones as Reals, if the tape has them, such as those of an input.
  Var var{};
  Shape whole{};                    // the shape of whole numbers and booleans
  const Index* integers = nullptr;  // their elements
  /// Whole numbers: a value of the tape that they are computed from; null if they depend on no input.
  Var source{};
  bool is_constant = false;  // computed from initializers and shapes alone

  explicit operator bool() const { return static_cast<bool>(var) || integers != nullptr; }
  Kind kind() const { return kind_of(type); }
  bool is_real() const { return kind() == Kind::real; }
  /// In the order of the ONNX file.
  Shape shape() const;
  Index size() const { return is_real() ? var.size() : whole.size(); }
  std::span<const Index> numbers() const { return {integers, static_cast<std::size_t>(whole.size())}; }
  /// The value of the tape that this one follows from, or null.
  Var origin() const { return is_real() || !source ? var : source; }
};

/// A tensor from the file, which must outlive the pass.
Value value_of(Tape& tape, const Elements& elements);
/// Whole numbers in the memory of the tape or of the file.
Value whole_value(ElementType type, const Shape& shape, std::span<const Index> numbers, Var source = {});

/// The floats with their axes in ONNX's order. Kernels and transposed weights never reach an op that calls this.
Var plain(const Value& x);
/// Any value as floats in ONNX's order: booleans are 0 and 1. Whole numbers have no gradient.
Var as_real(Tape& tape, const Value& x);

// ---- What moves elements of any type. Floats keep their gradient. ----

Value reshape(const Value& x, const Shape& shape);
Value transpose(Tape& tape, const Value& x, std::span<const Index> axes);
/// y[.., i, ..] = x[.., positions[i], ..]; `fill` where a position is -1. Throws ShapeError for one out of range.
Value take(Tape& tape, const Value& x, Index axis, std::span<const Index> positions, double fill = 0);
/// y[i] = x[positions[i]], both counted flat; `fill` where a position is -1.
Value gather(Tape& tape, const Value& x, const Shape& shape, std::span<const Index> positions, double fill = 0);
Value slice(Tape& tape, const Value& x, Index axis, Index begin, Index end);
/// The values must be of one kind and number of axes.
Value concatenate(Tape& tape, std::span<const Value> values, Index axis);
/// x broadcast to `shape`.
Value expand(Tape& tape, const Value& x, const Shape& shape);

/// The number as an integer of this type stores it: the low bits.
Index wrapped(ElementType type, Index number);
/// The least and the largest number of an integer type, as far as 64 bits with a sign hold them.
std::pair<Index, Index> range_of(ElementType type);

}  // namespace cornu::onnx::detail
