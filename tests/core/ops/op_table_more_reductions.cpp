#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/tests/core/ops/op_rows.h"

namespace cornu::testing {

namespace {

long double min_of(const Numbers& x) {
  long double best = std::numeric_limits<long double>::infinity();
  for (const long double number : x) {
    if (std::isnan(number)) return number;
    best = std::min(best, number);
  }
  return best;
}

long double product_of(const Numbers& x) {
  long double product = 1;
  for (const long double number : x) product *= number;
  return product;
}

long double biased_variance(const Numbers& x) {
  const long double mean = mean_of(x);
  long double sum = 0;
  for (const long double number : x) sum += (number - mean) * (number - mean);
  return sum / static_cast<long double>(x.size());
}

long double logsumexp_of(const Numbers& x) {
  long double sum = 0;
  for (const long double number : x) sum += std::exp(number);
  return std::log(sum);
}

Numbers cumulative_sums(Numbers x, const CumsumOptions& options) {
  if (options.reverse) std::reverse(x.begin(), x.end());
  long double sum = 0;
  for (long double& number : x) {
    const long double before = sum;
    sum += number;
    number = options.exclusive ? before : sum;
  }
  if (options.reverse) std::reverse(x.begin(), x.end());
  return x;
}

OpRow cumsum_row() {
  OpRow row{.op = "cumsum", .name = "Cumsum", .ranges = {around_zero}, .samples = {}};
  for (const Shape& shape : reduced_shapes()) {
    for (const Index axis : axes_of(shape)) {
      for (const CumsumOptions options :
           {CumsumOptions{}, CumsumOptions{.exclusive = true}, CumsumOptions{.reverse = true},
            CumsumOptions{.exclusive = true, .reverse = true}}) {
        row.samples.push_back({message("cumsum of {} over axis {}, exclusive {}, reverse {}", shape, axis,
                                       options.exclusive, options.reverse),
                               {shape},
                               [=](std::span<const Var> x) { return cumsum(x[0], axis, options); },
                               [=](std::span<const Tensor> x) { return cumsum(x[0], axis, options); },
                               [=](std::span<const Exact> x) {
                                 return along_axis_reference(
                                     x[0], axis, [=](const Numbers& from) { return cumulative_sums(from, options); });
                               }});
      }
    }
  }
  row.uses_every_element = false;  // an exclusive sum leaves out the last element
  row.errors = {{"axis 1 is out of range for shape (3,) of rank 1", [](Tape& t) { cumsum(of(t, {3}), 1); }},
                {"axis 0 is out of range for shape () of rank 0", [](Tape& t) { cumsum(of(t, {}), 0); }}};
  return row;
}

}  // namespace

std::vector<OpRow> more_reduce_rows() {
  std::vector<OpRow> rows = {
      reduction(
          "min", "Min", [](const auto&... x) { return min(x...); }, min_of, false),
      reduction(
          "prod", "Prod", [](const auto&... x) { return prod(x...); }, product_of, true),
      reduction(
          "variance", "Variance", [](const auto&... x) { return variance(x...); }, biased_variance, true),
      reduction(
          "logsumexp", "LogSumExp", [](const auto&... x) { return logsumexp(x...); }, logsumexp_of, false),
      cumsum_row(),
  };
  rows[0].errors.push_back(
      {"min: shape (0,) has no elements to take the minimum of", [](Tape& t) { min(of(t, {0})); }});
  rows[1].ranges = {{Real(-1.5), Real(1.5)}};
  return rows;
}

}  // namespace cornu::testing
