#include "cornu/tests/core/ops/op_rows.h"

namespace cornu::testing {

namespace {

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
