#pragma once

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/ops/eager.h"
#include "cornu/core/ops/ops.h"
#include "cornu/tests/core/ops/op_reference.h"

/// Every op of ops.h, images.h and sequences.h, a row each. op_test.cpp makes its tests of these rows: values,
/// gradients in full, broadcasting, empty and odd shapes, NaN, errors, and that tape, inference tape and eager function
/// agree.
namespace cornu::testing {

/// One use of an op: the shapes that it is given, and what should come of it.
struct Sample {
  std::string what;  // for messages
  std::vector<Shape> inputs;
  std::function<Var(std::span<const Var>)> on_tape;
  std::function<Tensor(std::span<const Tensor>)> eagerly;
  std::function<Exact(std::span<const Exact>)> expected;
  bool has_options = false;  // which ParameterForms do not give
};

/// The op with Parameters in the place of some of its inputs.
struct ParameterForm {
  std::vector<bool> is_parameter;
  std::function<Var(std::span<const Var>, std::span<const Parameter>)> apply;
};

struct ExpectedError {
  std::string text;
  std::function<void(Tape&)> action;
};

struct Range {
  Real low, high;
};

struct OpRow {
  std::string op;    // its name in the header
  std::string name;  // that of its tests
  /// Of which the inputs are taken, the last one for all further inputs. Where the op has a kink it lies outside.
  std::vector<Range> ranges;
  std::vector<Sample> samples;
  std::vector<ParameterForm> parameter_forms{};
  std::vector<ExpectedError> errors{};  // ShapeErrors
  /// Every number of an input shows in the result, as a NaN would. A slice leaves some out.
  bool uses_every_number = true;
};

const std::vector<OpRow>& op_table();

inline void PrintTo(const OpRow& row, std::ostream* out) { *out << row.op; }

/// Where ranges are concerned: all of them, and those away from 0.
inline constexpr Range around_zero{-2, 2};
inline constexpr Range above_zero{Real(0.5), 2};

// The parts of the table, a file each as in core.
std::vector<OpRow> linear_rows();
std::vector<OpRow> arithmetic_rows();
std::vector<OpRow> pointwise_rows();
std::vector<OpRow> reduce_rows();
std::vector<OpRow> normalize_rows();
std::vector<OpRow> shape_rows();
std::vector<OpRow> image_rows();
std::vector<OpRow> sequence_rows();

/// A value without numbers of its own, for errors of shape.
inline Var of(Tape& tape, const Shape& shape) {
  const View zeros = tape.scratch(shape);
  std::fill(zeros.begin(), zeros.end(), Real{0});
  return tape.input(zeros);
}

}  // namespace cornu::testing
