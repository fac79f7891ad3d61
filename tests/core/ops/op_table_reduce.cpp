#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

/// Shapes, some beyond the 32 rows or 16 elements that sums process at a time, or the 64 elements of a long slice.
const std::vector<Shape>& reduced_shapes() {
  static const std::vector<Shape> all = {{1},       {7},    {1, 4}, {3, 5},    {2, 3, 4}, {2, 1, 3, 1, 2}, {2, 70},
                                         {2, 3, 9}, {3, 0}, {70},   {2, 0, 3}, {37, 3},   {2, 35, 1}};
  return all;
}

/// All axes, counted from either end.
std::vector<Index> axes_of(const Shape& shape) {
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

template <class F>
OpRow softmax_like(const std::string& op, const std::string& name, F f, Numbers (*expected)(const Numbers&)) {
  OpRow row{.op = op, .name = name, .ranges = {around_zero}, .samples = {}};
  for (const Shape& shape : reduced_shapes()) {
    row.samples.push_back({message("{} of {}", op, shape),
                           {shape},
                           [f](std::span<const Var> x) { return f(x[0]); },
                           [f](std::span<const Tensor> x) { return f(x[0]); },
                           [=](std::span<const Exact> x) { return along_axis_reference(x[0], -1, expected); }});
    for (const Index axis : axes_of(shape)) {
      row.samples.push_back({message("{} of {} over axis {}", op, shape, axis),
                             {shape},
                             [=](std::span<const Var> x) { return f(x[0], axis); },
                             [=](std::span<const Tensor> x) { return f(x[0], axis); },
                             [=](std::span<const Exact> x) { return along_axis_reference(x[0], axis, expected); }});
    }
  }
  row.errors = {{"axis 1 is out of range for shape (3,) of rank 1", [f](Tape& t) { f(of(t, {3}), 1); }},
                {"axis -1 is out of range for shape () of rank 0", [f](Tape& t) { f(of(t, {})); }}};
  return row;
}

}  // namespace

std::vector<OpRow> reduce_rows() {
  std::vector<OpRow> rows = {
      reduction(
          "sum", "Sum", [](const auto&... x) { return sum(x...); }, sum_of, true),
      reduction(
          "mean", "Mean", [](const auto&... x) { return mean(x...); }, mean_of, true),
      reduction(
          "max", "Max", [](const auto&... x) { return max(x...); }, max_of, false),
      softmax_like(
          "softmax", "Softmax", [](const auto&... x) { return softmax(x...); }, softmax_of),
      softmax_like(
          "log_softmax", "LogSoftmax", [](const auto&... x) { return log_softmax(x...); }, log_softmax_of),
  };
  std::vector<ExpectedError>& max_errors = rows[2].errors;
  max_errors.push_back({"max: shape (0,) has no elements to take the maximum of", [](Tape& t) { max(of(t, {0})); }});
  max_errors.push_back({"max: shape (2, 0, 3) has no elements to take the maximum of", [](Tape& t) {
                          max(of(t, {2, 0, 3}), 1);
                        }});
  return rows;
}

}  // namespace cornu::testing
