#include <algorithm>
#include <cmath>

#include "cornu/datasets/one_hot.h"
#include "cornu/tests/core/ops/moved_elements.h"

namespace cornu::testing {

namespace indexing {

namespace {

/// For each index: its place, and the place in x.
void each_index(const Tensor& indices, const Shape& x, Index axis,
                const std::function<void(std::size_t, std::size_t)>& f) {
  for (Index i = 0; i < indices.size(); ++i) {
    At at = place_of(i, indices.shape());
    const auto index = static_cast<Index>(indices[i]);
    at[counted(axis, x)] = index < 0 ? index + x[axis] : index;
    f(static_cast<std::size_t>(i), static_cast<std::size_t>(flat_of(at, x)));
  }
}

/// A shape, an axis, and indices along it.
struct Picks {
  Shape shape;
  Index axis;
  Tensor indices;

  std::string text() const { return message("{} of {} at axis {}", indices.shape(), shape, axis); }
};

std::vector<Picks> picks() {
  std::vector<Picks> result{{{3}, 0, Tensor::vector({2, 0, 0, -1})},
                            {{0, 3}, 1, Tensor({0, 2})},
                            {{2, 3}, 0, Tensor({0, 3})},
                            {{2, 0}, 0, Tensor({5, 0})}};
  for (std::uint64_t seed = 0; seed < random_samples; ++seed) {
    Random random(seed);
    const Shape shape = random.shape();
    const Index axis = random.axis(shape), n = shape[axis];
    result.push_back({shape, axis, random.indices(shape.with(axis, random.between(1, 5)), -n, n - 1)});
  }
  return result;
}

OpRow take_along_axis_row() {
  OpRow row{.op = "take_along_axis", .name = "TakeAlongAxis", .ranges = {around_zero}, .samples = {}};
  for (const Picks& pick : picks()) {
    row.samples.push_back(sample_of(
        "take " + pick.text(), {pick.shape},
        [=](auto x) { return take_along_axis(x[0], beside(x[0], pick.indices), pick.axis); },
        [=](auto x) {
          Exact y(pick.indices.shape());
          each_index(pick.indices, pick.shape, pick.axis,
                     [&](std::size_t i, std::size_t from) { y.values[i] = x[0].values[from]; });
          return y;
        }));
  }
  row.uses_every_element = false;
  row.errors = {
      {"take_along_axis: x of shape (2, 3) and indices of shape (2,); they must be equal except along axis 0",
       [](Tape& t) {
         take_along_axis(of(t, {2, 3}), of(t, {2}), 0);
       }},
      {"take_along_axis: x of shape (2, 3) and indices of shape (2, 1); they must be equal except along axis 0",
       [](Tape& t) {
         take_along_axis(of(t, {2, 3}), of(t, {2, 1}), -2);
       }}};
  return row;
}

OpRow scatter_add_row() {
  OpRow row{.op = "scatter_add", .name = "ScatterAdd", .ranges = {around_zero}, .samples = {}};
  for (const Picks& pick : picks()) {
    row.samples.push_back(sample_of(
        "scatter " + pick.text(), {pick.shape, pick.indices.shape()},
        [=](auto x) { return scatter_add(x[0], beside(x[0], pick.indices), x[1], pick.axis); },
        [=](auto x) {
          Exact y = x[0];
          each_index(pick.indices, pick.shape, pick.axis,
                     [&](std::size_t i, std::size_t to) { y.values[to] += x[1].values[i]; });
          return y;
        }));
  }
  row.errors = {{"scatter_add: indices of shape (2, 1) and updates of shape (2, 2) must be equal",
                 [](Tape& t) {
                   scatter_add(of(t, {2, 3}), of(t, {2, 1}), of(t, {2, 2}), 1);
                 }},
                {"scatter_add: x of shape (2, 3) and updates of shape (2, 1); they must be equal except along axis 0",
                 [](Tape& t) {
                   scatter_add(of(t, {2, 3}), of(t, {2, 1}), of(t, {2, 1}), 0);
                 }}};
  return row;
}

/// Indices times weights, because the gradient with respect to an index is 0 except at whole numbers.
OpRow one_hot_row() {
  OpRow row{.op = "one_hot", .name = "OneHot", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Tensor& indices, Index n) {
    const Shape shape = indices.shape().inserted(indices.rank(), n);
    row.samples.push_back(sample_of(
        message("one_hot of {}, {} positions", indices.shape(), n), {shape},
        [=](auto x) { return one_hot(beside(x[0], indices), n) * x[0]; },
        [=](auto x) {
          Exact y(shape);
          for (Index i = 0; i < shape.size(); ++i) {
            const auto k = static_cast<std::size_t>(i);
            y.values[k] = (indices[i / n] == static_cast<Real>(i % n) ? 1.0L : 0.0L) * x[0].values[k];
          }
          return y;
        }));
  };
  add(Tensor::scalar(2), 3);
  add(Tensor::vector({0, 2, 1, 1}), 3);
  add(Tensor(Shape{0}), 3);
  add(Tensor::vector({4, 4, 3}), 5);
  add(Tensor::matrix({{1}, {0}}), 2);
  add(Tensor({2, 2, 2}, {0, 1, 2, 2, 1, 0, 0, 1}), 3);
  add(Tensor::vector({0, 0}), 1);
  add(Tensor::matrix({{0, 3}, {2, 1}}), 4);
  row.errors = {{"one_hot: -1 positions; 0 or more are required", [](Tape& t) { one_hot(of(t, {2}), -1); }}};
  return row;
}

OpRow top_k_row() {
  OpRow row{.op = "top_k", .name = "TopK", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, Index k) {
    row.samples.push_back(sample_of(
        message("top {} of {}", k, shape), {shape}, [=](auto x) { return top_k(x[0], k).values; },
        [=](auto x) {
          Exact y(shape.with(-1, k));
          const Index n = shape[-1];
          for (Index r = 0; n > 0 && r < shape.size() / n; ++r) {
            Numbers all(x[0].values.begin() + r * n, x[0].values.begin() + (r + 1) * n);
            for (Index j = 0; j < k; ++j) {  // the largest that is left, NaN above all
              std::size_t best = 0;
              for (std::size_t i = 1; i < all.size(); ++i) {
                if (!std::isnan(all[best]) && (std::isnan(all[i]) || all[i] > all[best])) best = i;
              }
              y.values[static_cast<std::size_t>(r * k + j)] = all[best];
              all.erase(all.begin() + static_cast<Index>(best));
            }
          }
          return y;
        }));
  };
  add({5}, 2);
  add({5}, 5);
  add({1}, 1);
  add({3}, 0);
  add({2, 0}, 0);
  add({0, 3}, 2);
  add({3, 4}, 1);
  add({2, 3, 20}, 7);
  row.uses_every_element = false;
  row.errors = {{"top_k: 4 elements of each row of shape (2, 3)",
                 [](Tape& t) {
                   top_k(of(t, {2, 3}), 4);
                 }},
                {"top_k: -1 elements of each row of shape (2, 3)",
                 [](Tape& t) {
                   top_k(of(t, {2, 3}), -1);
                 }},
                {"top_k: 1 elements of each row of shape ()", [](Tape& t) { top_k(of(t, {}), 1); }}};
  return row;
}

}  // namespace

}  // namespace indexing

std::vector<OpRow> gather_rows() {
  using namespace indexing;
  return {take_along_axis_row(), scatter_add_row(), one_hot_row(), top_k_row()};
}

}  // namespace cornu::testing
