#include <cmath>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

constexpr double epsilon = 1e-3;

/// scale (x - mean) / sqrt(variance + epsilon) + offset of one element.
long double normalized(long double x, long double mean, long double variance, long double scale, long double offset) {
  return scale * (x - mean) / std::sqrt(variance + static_cast<long double>(static_cast<Real>(epsilon))) + offset;
}

/// Element i, or the only element of a scalar.
long double at(const Exact& x, std::size_t i) { return x.values[x.shape.rank() == 0 ? 0 : i]; }

long double variance_of(Numbers x) {
  const long double mean = mean_of(x);
  for (long double& number : x) number = (number - mean) * (number - mean);
  return mean_of(x);
}

/// Normalizes each element by the mean and variance of its group, group(i).
template <class Group, class Place>
Exact normalized_reference(std::span<const Exact> x, Index groups, Group group, Place place) {
  std::vector<Numbers> members(static_cast<std::size_t>(groups));
  for (std::size_t i = 0; i < x[0].values.size(); ++i) members[group(i)].push_back(x[0].values[i]);
  Exact y(x[0].shape);
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const Numbers& alike = members[group(i)];
    y.values[i] =
        normalized(x[0].values[i], mean_of(alike), variance_of(alike), at(x[1], place(i)), at(x[2], place(i)));
  }
  return y;
}

/// Few and many features, sample counts that leave a partial wide row, and more than 32 rows.
const std::vector<Shape>& normalized_shapes() {
  static const std::vector<Shape> all = {{1, 1},  {3, 1},  {2, 7}, {37, 3},         {150, 1}, {2, 3, 4}, {2, 2, 2, 17},
                                         {5, 64}, {3, 70}, {0, 3}, {2, 2, 1, 3, 2}, {40, 2},  {18, 24}};
  return all;
}

OpRow given_statistics_row() {
  OpRow row{.op = "batch_normalization",
            .name = "BatchNormalization",
            .ranges = {around_zero, around_zero, above_zero, around_zero},
            .samples = {}};
  const auto add = [&](const Shape& x, const Shape& others) {
    row.samples.push_back(
        {message("batch_normalization of {} by {}", x, others),
         {x, others, others, others, others},
         [](std::span<const Var> v) { return batch_normalization(v[0], v[1], v[2], v[3], v[4], epsilon); },
         [](std::span<const Tensor> v) { return batch_normalization(v[0], v[1], v[2], v[3], v[4], epsilon); },
         [](std::span<const Exact> v) {
           Exact y(v[0].shape);
           for (std::size_t i = 0; i < y.values.size(); ++i) {
             const std::size_t j = i % static_cast<std::size_t>(y.shape[-1]);
             y.values[i] = normalized(v[0].values[i], at(v[1], j), at(v[2], j), at(v[3], j), at(v[4], j));
           }
           return y;
         }});
  };
  for (const Shape& x : normalized_shapes()) add(x, {x[-1]});
  add({4}, {4});
  add({3, 0}, {0});
  add({3, 4}, {});                 // scalars for all features
  row.uses_every_element = false;  // without samples no input affects the result
  row.parameter_forms = {{{false, true, true, true, true},
                          [](auto x, auto p) { return batch_normalization(x[0], p[1], p[2], p[3], p[4]); }}};
  row.errors = {
      {"batch_normalization: x is a scalar; x (..., features) is required",
       [](Tape& t) { batch_normalization(of(t, {}), 0, 1, 1, 0); }},
      {"batch_normalization: x is (2, 3), mean (3,), variance (2,), scale (3,) and offset (3,); the last four "
       "must be (3,), or one number each",
       [](Tape& t) {
         batch_normalization(of(t, {2, 3}), 0, of(t, {2}), 1, 0);
       }}};
  return row;
}

OpRow own_statistics_row() {
  OpRow row{.op = "batch_normalization", .name = "BatchNormalizationByItself", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& x, const Shape& others) {
    row.samples.push_back(
        {message("batch_normalization of {}, {}", x, others),
         {x, others, others},
         [](std::span<const Var> v) { return batch_normalization(v[0], v[1], v[2], epsilon).y; },
         [](std::span<const Tensor> v) {
           Tape tape(Mode::inference);
           return Tensor(batch_normalization(tape.input(v[0]), tape.input(v[1]), tape.input(v[2]), epsilon).y.value());
         },
         [](std::span<const Exact> v) {
           const auto features = static_cast<std::size_t>(v[0].shape[-1]);
           const auto feature = [=](std::size_t i) { return i % features; };
           return normalized_reference(v, v[0].shape[-1], feature, feature);
         }});
  };
  for (const Shape& x : normalized_shapes()) add(x, {x[-1]});
  add({3, 0}, {0});
  add({3, 4}, {});
  row.uses_every_element = false;
  row.parameter_forms = {{{false, true, true}, [](auto x, auto p) { return batch_normalization(x[0], p[1], p[2]).y; }}};
  row.errors = {{"batch_normalization: x is a scalar; x (..., features) is required",
                 [](Tape& t) { batch_normalization(of(t, {}), 1, 0); }},
                {"batch_normalization: x is (2, 3), mean (3,), variance (3,), scale (2, 3) and offset (3,); the last "
                 "four must be (3,), or one number each",
                 [](Tape& t) {
                   batch_normalization(of(t, {2, 3}), of(t, {2, 3}), of(t, {3}));
                 }}};
  return row;
}

OpRow layer_row() {
  OpRow row{.op = "layer_normalization", .name = "LayerNormalization", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& x, Index axes, const Shape& others) {
    const LayerNormalizationOptions options{.axes = axes, .epsilon = epsilon};
    row.samples.push_back({message("layer_normalization of {} along {} axes, {}", x, axes, others),
                           {x, others, others},
                           [=](std::span<const Var> v) { return layer_normalization(v[0], v[1], v[2], options); },
                           [=](std::span<const Tensor> v) { return layer_normalization(v[0], v[1], v[2], options); },
                           [=](std::span<const Exact> v) {
                             const Shape& shape = v[0].shape;
                             const auto n = static_cast<std::size_t>(shape.sub(shape.rank() - axes).size());
                             return normalized_reference(
                                 v, shape.sub(0, shape.rank() - axes).size(), [=](std::size_t i) { return i / n; },
                                 [=](std::size_t i) { return i % n; });
                           },
                           axes != 1});
  };
  for (const Shape& x : normalized_shapes()) add(x, 1, {x[-1]});
  add({7}, 1, {7});
  add({3, 0}, 1, {0});
  add({2, 3, 4}, 2, {3, 4});
  add({2, 3, 4}, 3, {2, 3, 4});
  add({3, 4}, 1, {});
  add({1, 530}, 1, {});  // more than 32 rows of lanes
  row.uses_every_element = false;
  row.parameter_forms = {{{false, true, true}, [](auto x, auto p) { return layer_normalization(x[0], p[1], p[2]); }}};
  row.errors = {
      {"layer_normalization: axes is 3 and x is (2, 3); axes must be from 1 to 2",
       [](Tape& t) {
         layer_normalization(of(t, {2, 3}), 1, 0, {.axes = 3});
       }},
      {"layer_normalization: axes is 0 and x is (2, 3); axes must be from 1 to 2",
       [](Tape& t) {
         layer_normalization(of(t, {2, 3}), 1, 0, {.axes = 0});
       }},
      {"layer_normalization: x is (2, 3), scale (2,) and offset (3,); the last two must be (3,), or one number "
       "each",
       [](Tape& t) {
         layer_normalization(of(t, {2, 3}), of(t, {2}), 0);
       }}};
  return row;
}

}  // namespace

std::vector<OpRow> normalize_rows() { return {given_statistics_row(), own_statistics_row(), layer_row()}; }

}  // namespace cornu::testing
