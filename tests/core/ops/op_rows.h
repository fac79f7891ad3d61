#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

/// Rows of the op table for ops of a kind: of one value, of two values, reductions.
namespace cornu::testing {

using L = long double;  // of independent computations

// ---- Functions of one value ----

inline const std::vector<Shape>& pointwise_shapes() {
  static const std::vector<Shape> all = {{},      {1},      {0}, {7}, {3, 5}, {0, 4}, {1, 1, 1}, {2, 1, 3, 1, 2},
                                         {17, 3}, {2, 3, 0}};
  return all;
}

/// A row for a unary op.
template <class F, class Reference>
OpRow numbers(const std::string& op, const std::string& name, Range range, F f, Reference expected) {
  OpRow row{.op = op, .name = name, .ranges = {range}, .samples = {}};
  for (const Shape& shape : pointwise_shapes()) {
    row.samples.push_back({message("{} of {}", op, shape),
                           {shape},
                           [f](std::span<const Var> x) { return f(x[0]); },
                           [f](std::span<const Tensor> x) { return f(x[0]); },
                           [expected](std::span<const Exact> x) { return pointwise_reference(x[0], expected); }});
  }
  return row;
}

/// The same with two ranges, below and above a kink at 0.
template <class F, class Reference>
std::vector<OpRow> beside_a_kink(const std::string& op, const std::string& name, F f, Reference expected) {
  return {numbers(op, name + "BelowZero", {-2, Real(-0.05)}, f, expected),
          numbers(op, name + "AboveZero", {Real(0.05), 2}, f, expected)};
}

// ---- Functions of two values ----

inline const std::vector<std::pair<Shape, Shape>>& broadcasting_shapes() {
  static const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},
      {{1}, {1}},
      {{0}, {0}},
      {{7}, {7}},
      {{3, 5}, {3, 5}},
      {{3}, {}},
      {{}, {2, 3}},
      {{0}, {1}},
      {{1, 3}, {0, 3}},
      {{1}, {2, 0, 3}},
      {{2, 3}, {3}},
      {{2, 1}, {1, 3}},
      {{2, 3, 4}, {3, 1}},
      {{1, 3, 1}, {2, 1, 4}},
      {{2, 1, 3}, {2, 1, 1}},
      {{2, 2, 3, 2, 2}, {2, 2, 3, 2, 2}},
      {{2, 1, 2, 1, 3}, {1, 2, 1, 2, 1}},
      {{1, 2, 1, 1, 2}, {3, 1}},
      {{37, 3}, {1, 3}},
      {{3, 1}, {2, 3, 4}},
      {{2, 1, 1}, {2, 1, 3}},
      {{1, 3}, {37, 3}},
  };
  return shapes;
}

/// A row for a binary op: f takes a Var, Parameter, number or Tensor on either side.
template <class F, class Reference>
OpRow pairs(const std::string& op, const std::string& name, const std::vector<Range>& ranges, F f, Reference expected) {
  OpRow row{.op = op, .name = name, .ranges = ranges, .samples = {}};
  for (const auto& [a, b] : broadcasting_shapes()) {
    row.samples.push_back({message("{} {} {}", a, op, b),
                           {a, b},
                           [f](std::span<const Var> x) { return f(x[0], x[1]); },
                           [f](std::span<const Tensor> x) { return f(x[0], x[1]); },
                           [expected](std::span<const Exact> x) { return pairwise_reference(x[0], x[1], expected); }});
  }
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 5}, Shape{2, 1, 3, 1, 2}}) {
    row.samples.push_back({message("{} {} a number", shape, op),
                           {shape},
                           [f](std::span<const Var> x) { return f(x[0], 1.25); },
                           [f](std::span<const Tensor> x) { return f(x[0], 1.25); },
                           [expected](std::span<const Exact> x) {
                             return pointwise_reference(x[0], [expected](long double v) { return expected(v, 1.25L); });
                           }});
    row.samples.push_back({message("a number {} {}", op, shape),
                           {shape},
                           [f](std::span<const Var> x) { return f(3, x[0]); },
                           [f](std::span<const Tensor> x) { return f(3, x[0]); },
                           [expected](std::span<const Exact> x) {
                             return pointwise_reference(x[0], [expected](long double v) { return expected(3.0L, v); });
                           }});
  }
  row.parameter_forms = {{{false, true}, [f](auto x, auto p) { return f(x[0], p[1]); }},
                         {{true, false}, [f](auto x, auto p) { return f(p[0], x[1]); }}};
  row.errors = {
      {op.substr(op.starts_with("operator") ? 8 : 0) +
           ": shapes (2, 3) and (2,) do not broadcast: at axis 1 from the end, 3 and 2 differ and neither is 1",
       [f](Tape& t) {
         f(of(t, {2, 3}), of(t, {2}));
       }}};
  return row;
}

// ---- Reductions ----

/// Shapes, some beyond the 32 rows or 16 elements that sums process at a time, or the 64 elements of a long slice.
inline const std::vector<Shape>& reduced_shapes() {
  static const std::vector<Shape> all = {{1},       {7},    {1, 4}, {3, 5},    {2, 3, 4}, {2, 1, 3, 1, 2}, {2, 70},
                                         {2, 3, 9}, {3, 0}, {70},   {2, 0, 3}, {37, 3},   {2, 35, 1}};
  return all;
}

/// All axes, counted from either end.
inline std::vector<Index> axes_of(const Shape& shape) {
  std::vector<Index> axes;
  for (Index axis = -shape.rank(); axis < shape.rank(); ++axis) axes.push_back(axis);
  return axes;
}

/// f(x), f(x, axis) and f(x, axis, options) for Var and Tensor.
template <class F>
OpRow reduction(const std::string& op, const std::string& name, F f, long double (*expected)(const Numbers&),
                bool of_nothing) {
  OpRow row{.op = op, .name = name, .ranges = {around_zero}, .samples = {}};
  std::vector<Shape> whole = reduced_shapes();
  whole.push_back({});
  for (const Shape& shape : whole) {
    if (shape.empty() && !of_nothing) continue;
    row.samples.push_back({message("{} of {}", op, shape),
                           {shape},
                           [f](std::span<const Var> x) { return f(x[0]); },
                           [f](std::span<const Tensor> x) { return f(x[0]); },
                           [expected](std::span<const Exact> x) {
                             Exact y{Shape{}};
                             y.values[0] = expected(x[0].values);
                             return y;
                           }});
  }
  for (const Shape& shape : reduced_shapes()) {
    for (const Index axis : axes_of(shape)) {
      if (shape[axis] == 0 && !of_nothing) continue;
      for (const bool keepdims : {false, true}) {
        const ReduceOptions options{.keepdims = keepdims};
        row.samples.push_back(
            {message("{} of {} over axis {}{}", op, shape, axis, keepdims ? ", kept" : ""),
             {shape},
             [=](std::span<const Var> x) { return f(x[0], axis, options); },
             [=](std::span<const Tensor> x) { return f(x[0], axis, options); },
             [=](std::span<const Exact> x) { return reduce_reference(x[0], axis, keepdims, expected); }});
      }
    }
  }
  row.errors = {{"axis 2 is out of range for shape (2, 3) of rank 2",
                 [f](Tape& t) {
                   f(of(t, {2, 3}), 2);
                 }},
                {"axis -3 is out of range for shape (2, 3) of rank 2",
                 [f](Tape& t) {
                   f(of(t, {2, 3}), -3);
                 }},
                {"axis 0 is out of range for shape () of rank 0", [f](Tape& t) { f(of(t, {}), 0); }}};
  return row;
}

}  // namespace cornu::testing
