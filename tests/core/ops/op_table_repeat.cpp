#include <algorithm>
#include <type_traits>

#include "cornu/tests/core/ops/moved_elements.h"

namespace cornu::testing {

namespace indexing {

namespace {

OpRow tile_row() {
  OpRow row{.op = "tile", .name = "Tile", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, const std::vector<Index>& counts, const Shape& result) {
    row.samples.push_back(sample_of(
        message("tile {} by {}", shape, to_string(std::span(counts))), {shape},
        [=](auto x) { return tile(x[0], counts); },
        [=](auto x) {
          return moved(x[0], result, [&](At at) {
            at.erase(at.begin(), at.begin() + (result.rank() - shape.rank()));
            for (Index axis = 0; axis < shape.rank(); ++axis) at[static_cast<std::size_t>(axis)] %= shape[axis];
            return at;
          });
        }));
  };
  add({3}, {2}, {6});
  add({2, 3}, {2}, {2, 6});
  add({2, 3}, {3, 1}, {6, 3});
  add({3}, {2, 1, 2}, {2, 1, 6});
  add({}, {3}, {3});
  add({2, 0}, {2, 3}, {4, 0});
  add({2, 1, 3}, {2, 4, 2}, {4, 4, 6});
  add({2, 3}, {1, 1}, {2, 3});
  add({2, 3}, {0, 2}, {0, 6});
  row.uses_every_element = false;  // zero copies have none
  row.errors = {{"tile: -1 repetitions of axis 1 of shape (2, 3)", [](Tape& t) { tile(of(t, {2, 3}), {2, -1}); }}};
  return row;
}

OpRow repeat_row() {
  OpRow row{.op = "repeat", .name = "Repeat", .ranges = {around_zero}, .samples = {}};
  for (std::uint64_t seed = 0; seed < random_samples; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(1, seed < 4 ? 0 : 1);
    const Index axis = random.axis(shape), count = seed == 0 ? 0 : random.between(1, 3);
    row.samples.push_back(sample_of(
        message("repeat {}, {} at axis {}", shape, count, axis), {shape},
        [=](auto x) { return repeat(x[0], count, axis); },
        [=](auto x) {
          const std::size_t k = counted(axis, shape);
          return moved(x[0], shape.with(axis, shape[axis] * count), [&](At at) {
            at[k] /= count;
            return at;
          });
        }));
  }
  row.uses_every_element = false;
  row.errors = {{"repeat: -1 repetitions of axis 0 of shape (2, 3)",
                 [](Tape& t) {
                   repeat(of(t, {2, 3}), -1, 0);
                 }},
                {"repeat: 4611686018427387904 repetitions of axis 1 of shape (2, 3) are too many", [](Tape& t) {
                   repeat(of(t, {2, 3}), Index{1} << 62, 1);
                 }}};
  return row;
}

OpRow broadcast_to_row() {
  OpRow row{.op = "broadcast_to", .name = "BroadcastTo", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, const Shape& result) {
    row.samples.push_back(sample_of(
        message("broadcast {} to {}", shape, result), {shape}, [=](auto x) { return broadcast_to(x[0], result); },
        [=](auto x) {
          return moved(x[0], result, [&](At at) {
            at.erase(at.begin(), at.begin() + (result.rank() - shape.rank()));
            for (Index axis = 0; axis < shape.rank(); ++axis) {
              if (shape[axis] == 1) at[static_cast<std::size_t>(axis)] = 0;
            }
            return at;
          });
        }));
  };
  add({}, {2, 3});
  add({3}, {3});
  add({3}, {2, 3});
  add({3, 1}, {3, 4});
  add({1, 1}, {5, 1});
  add({2, 1, 3, 1}, {2, 4, 3, 5});
  add({1, 4}, {0, 4});
  add({1, 3, 1, 2}, {2, 3, 3, 2});
  add({1}, {40});
  row.uses_every_element = false;  // an empty result has none
  row.errors = {{"broadcast_to: shape (2, 3) does not broadcast to (3, 3)",
                 [](Tape& t) {
                   broadcast_to(of(t, {2, 3}), {3, 3});
                 }},
                {"broadcast_to: shape (2, 3) does not broadcast to (3,)",
                 [](Tape& t) {
                   broadcast_to(of(t, {2, 3}), {3});
                 }},
                {"broadcast_to: shape (2, 3) does not broadcast to (2, 1)", [](Tape& t) {
                   broadcast_to(of(t, {2, 3}), {2, 1});
                 }}};
  return row;
}

OpRow stack_row() {
  OpRow row{.op = "stack_axis", .name = "StackAxis", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, std::size_t count, Index axis) {
    row.samples.push_back(sample_of(
        message("stack {} values {} at axis {}", count, shape, axis), std::vector<Shape>(count, shape),
        [=](auto x) { return stack_axis(x, axis); },
        [=](auto x) {
          const Index at = axis < 0 ? axis + shape.rank() + 1 : axis;
          Exact y(shape.inserted(at, static_cast<Index>(count)));
          for (Index i = 0; i < y.shape.size(); ++i) {
            At from = place_of(i, y.shape);
            const auto which = static_cast<std::size_t>(from[static_cast<std::size_t>(at)]);
            from.erase(from.begin() + at);
            y.values[static_cast<std::size_t>(i)] = x[which].values[static_cast<std::size_t>(flat_of(from, shape))];
          }
          return y;
        }));
  };
  add({}, 3, 0);
  add({}, 1, -1);
  add({3}, 2, 0);
  add({3}, 2, 1);
  add({2, 3}, 3, -1);
  add({2, 3}, 2, -3);
  add({0, 3}, 2, 1);
  add({2, 1, 3}, 4, 2);
  row.errors = {{"stack_axis: there is nothing to stack", [](Tape&) { stack_axis(std::span<const Var>(), 0); }},
                {"stack_axis: shapes (2, 3) and (2, 1) must be equal",
                 [](Tape& t) {
                   stack_axis({of(t, {2, 3}), of(t, {2, 1})}, 0);
                 }},
                {"stack_axis: axis 3 is out of range for values of shape (2, 3)", [](Tape& t) {
                   stack_axis({of(t, {2, 3})}, 3);
                 }}};
  return row;
}

/// The parts in reverse order, joined again.
template <class Parts>
auto reversed(const Parts& parts, Index axis) {
  std::vector<std::decay_t<decltype(parts[0])>> result(parts.rbegin(), parts.rend());
  return concatenate(result, axis);
}

OpRow split_row() {
  OpRow row{.op = "split", .name = "Split", .ranges = {around_zero}, .samples = {}};
  const auto expected = [](const Shape& shape, const std::vector<Index>& ends, Index axis) {
    return [=](std::span<const Exact> x) {
      std::vector<Index> from;
      for (std::size_t part = ends.size(); part-- > 0;) {
        for (Index at = part == 0 ? 0 : ends[part - 1]; at < ends[part]; ++at) from.push_back(at);
      }
      return moved(x[0], shape, [&](At at) {
        Index& position = at[counted(axis, shape)];
        position = from[static_cast<std::size_t>(position)];
        return at;
      });
    };
  };
  const auto add = [&](const Shape& shape, const std::vector<Index>& positions, Index axis, std::vector<Index> ends) {
    row.samples.push_back(sample_of(
        message("split {} at {} of axis {}", shape, to_string(std::span(positions)), axis), {shape},
        [=](auto x) { return reversed(split(x[0], positions, axis), axis); }, expected(shape, ends, axis)));
  };
  const auto add_equal = [&](const Shape& shape, Index parts, Index axis) {
    std::vector<Index> ends;
    for (Index part = 1; part <= parts; ++part) ends.push_back(part * shape[axis] / parts);
    row.samples.push_back(sample_of(
        message("split {} into {} parts of axis {}", shape, parts, axis), {shape},
        [=](auto x) { return reversed(split(x[0], parts, axis), axis); }, expected(shape, ends, axis)));
  };
  add({7}, {2, 5}, 0, {2, 5, 7});
  add({7}, {-5, -5, 7}, 0, {2, 2, 7, 7});
  add({2, 4}, {}, 1, {4});
  add({2, 4}, {0, 1}, -1, {0, 1, 4});
  add({3, 2, 2}, {1}, 0, {1, 3});
  add_equal({6}, 3, 0);
  add_equal({2, 4, 3}, 2, 1);
  add_equal({2, 4, 3}, 1, -1);
  add_equal({0, 2}, 5, 0);
  row.errors = {{"split: 2 equal parts of axis 0 of shape (3, 4), which has 3 positions",
                 [](Tape& t) {
                   split(of(t, {3, 4}), 2, 0);
                 }},
                {"split: 0 equal parts of axis 0 of shape (3, 4), which has 3 positions",
                 [](Tape& t) {
                   split(of(t, {3, 4}), 0, 0);
                 }},
                {"split: position 1 of axis 1 of shape (3, 4); 2 to 4 is required",
                 [](Tape& t) {
                   split(of(t, {3, 4}), {2, 1}, 1);
                 }},
                {"split: position 5 of axis 1 of shape (3, 4); 0 to 4 is required", [](Tape& t) {
                   split(of(t, {3, 4}), {5}, 1);
                 }}};
  return row;
}

}  // namespace

}  // namespace indexing

std::vector<OpRow> repeat_rows() {
  using namespace indexing;
  return {tile_row(), repeat_row(), broadcast_to_row(), stack_row(), split_row()};
}

}  // namespace cornu::testing
