#pragma once

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/ops/eager.h"
#include "cornu/core/ops/ops.h"
#include "cornu/tests/core/ops/op_reference.h"

/// One row per op of ops.h, comparisons.h, indexing.h, images.h and sequences.h. op_test.cpp generates its tests from
/// these rows: values, full gradients, broadcasting, empty and odd shapes, NaN, errors, and agreement of tape,
/// inference tape and eager function.
namespace cornu::testing {

/// One use of an op: the input shapes and the expected result.
struct Sample {
  std::string what;  // for messages
  std::vector<Shape> inputs;
  std::function<Var(std::span<const Var>)> on_tape;
  std::function<Tensor(std::span<const Tensor>)> eagerly;
  std::function<Exact(std::span<const Exact>)> expected;
  bool has_options = false;  // ParameterForms cannot pass options
};

/// The op with Parameters as some of its inputs.
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
  std::string name;  // the name of its tests
  /// The ranges of the inputs; the last one is for all further inputs. They exclude the kinks of the op.
  std::vector<Range> ranges;
  std::vector<Sample> samples;
  std::vector<ParameterForm> parameter_forms{};
  std::vector<ExpectedError> errors{};  // ShapeErrors
  /// True if every element of every input affects the result, so that a NaN shows. A slice leaves some out.
  bool uses_every_element = true;
};

const std::vector<OpRow>& op_table();

inline void PrintTo(const OpRow& row, std::ostream* out) { *out << row.op; }

/// Common ranges: all signs, and away from 0.
inline constexpr Range around_zero{-2, 2};
inline constexpr Range above_zero{Real(0.5), 2};

// The parts of the table, one file each as in core.
std::vector<OpRow> linear_rows();
std::vector<OpRow> arithmetic_rows();
std::vector<OpRow> pointwise_rows();
std::vector<OpRow> reduce_rows();
std::vector<OpRow> normalize_rows();
std::vector<OpRow> shape_rows();
std::vector<OpRow> image_rows();
std::vector<OpRow> take_axis_rows();
std::vector<OpRow> repeat_rows();
std::vector<OpRow> gather_rows();
std::vector<OpRow> resampling_rows();
std::vector<OpRow> sequence_rows();
std::vector<OpRow> comparison_rows();
std::vector<OpRow> function_rows();
std::vector<OpRow> more_reduce_rows();

/// A value of this shape, for tests of shape errors.
inline Var of(Tape& tape, const Shape& shape) {
  const View zeros = tape.scratch(shape);
  std::fill(zeros.begin(), zeros.end(), Real{0});
  return tape.input(zeros);
}

}  // namespace cornu::testing
