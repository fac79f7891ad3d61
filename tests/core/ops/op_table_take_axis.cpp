#include <algorithm>
#include <cmath>

#include "cornu/tests/core/ops/moved_elements.h"

namespace cornu::testing {

namespace indexing {

namespace {

OpRow take_positions_row() {
  OpRow row{.op = "take", .name = "TakePositions", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, const std::vector<Index>& positions, Index axis) {
    row.samples.push_back(sample_of(
        message("take {} of {} at axis {}", to_string(std::span(positions)), shape, axis), {shape},
        [=](auto x) { return take(x[0], positions, axis); },
        [=](auto x) {
          const std::size_t k = counted(axis, shape);
          return moved(x[0], shape.with(axis, std::ssize(positions)), [&](At at) {
            const Index position = positions[static_cast<std::size_t>(at[k])];
            at[k] = position < 0 ? position + shape[axis] : position;
            return at;
          });
        }));
  };
  add({5}, {4, 0, 2, 2, -1, -5}, 0);
  add({3, 4}, {}, 1);
  add({1, 3}, {0, 0, -1}, 0);
  add({0, 3}, {2, 0}, 1);
  for (std::uint64_t seed = 0; seed < random_samples; ++seed) {
    Random random(seed);
    const Shape shape = random.shape();
    const Index axis = random.axis(shape), n = shape[axis];
    std::vector<Index> positions;
    for (Index count = random.between(0, 6); count > 0; --count) positions.push_back(random.between(-n, n - 1));
    add(shape, positions, axis);
  }
  row.uses_every_element = false;
  row.errors = {{"take: position 3 is outside of axis 0 of shape (3, 5)",
                 [](Tape& t) {
                   take(of(t, {3, 5}), {0, 3}, 0);
                 }},
                {"take: position -6 is outside of axis -1 of shape (3, 5)",
                 [](Tape& t) {
                   take(of(t, {3, 5}), {-6}, -1);
                 }},
                {"axis 2 is out of range for shape (3, 5) of rank 2", [](Tape& t) {
                   take(of(t, {3, 5}), {0}, 2);
                 }}};
  return row;
}

std::string text_of(const SliceRange& range) {
  const auto bound = [](const std::optional<Index>& at) { return at ? std::to_string(*at) : std::string(); };
  return bound(range.begin) + ":" + bound(range.end) + ":" + std::to_string(range.step);
}

/// Walks along the axis as the Python reference describes `s[i:j:k]`.
std::vector<Index> sliced_positions(const SliceRange& range, Index n) {
  const Index step = range.step;
  const auto bound = [&](Index given) {
    const Index at = given < 0 ? given + n : given;
    return step > 0 ? std::min(std::max(at, Index{0}), n) : std::min(std::max(at, Index{-1}), n - 1);
  };
  std::vector<Index> result;
  const Index begin = range.begin ? bound(*range.begin)
                      : step > 0  ? 0
                                  : n - 1,
              end = range.end  ? bound(*range.end)
                    : step > 0 ? n
                               : -1;
  for (Index at = begin; step > 0 ? at < end : at > end; at += step) {
    result.push_back(at);
    if (std::abs(step) > n) break;
  }
  return result;
}

OpRow strided_slice_row() {
  OpRow row{.op = "strided_slice", .name = "StridedSlice", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, const std::vector<SliceRange>& ranges) {
    std::string what = message("strided_slice of {} by", shape);
    for (const SliceRange& range : ranges) what += " " + text_of(range);
    row.samples.push_back(sample_of(
        what, {shape}, [=](auto x) { return strided_slice(x[0], ranges); },
        [=](auto x) {
          Exact y = x[0];
          for (std::size_t axis = 0; axis < ranges.size(); ++axis) {
            const std::vector<Index> positions = sliced_positions(ranges[axis], shape[static_cast<Index>(axis)]);
            y = moved(y, y.shape.with(static_cast<Index>(axis), std::ssize(positions)), [&](At at) {
              at[axis] = positions[static_cast<std::size_t>(at[axis])];
              return at;
            });
          }
          return y;
        }));
  };
  add({7}, {{.step = -2}});
  add({7}, {{.begin = -100, .end = 100, .step = 3}});
  add({7}, {{.begin = 5, .end = 1, .step = -1}});
  add({7}, {{.begin = 1, .end = 5, .step = -1}});
  add({7}, {{.end = -8, .step = -1}});
  add({7}, {{.begin = 2, .step = Index{1} << 62}});
  add({3, 0}, {{}, {.step = -1}});
  add({2, 3, 4}, {{}, {.begin = 1}, {.step = -1}});
  for (std::uint64_t seed = 0; seed < random_samples; ++seed) {
    Random random(seed);
    const Shape shape = random.shape(1, 0);
    std::vector<SliceRange> ranges(static_cast<std::size_t>(random.between(1, shape.rank())));
    for (SliceRange& range : ranges) {
      if (random.between(0, 2) > 0) range.begin = random.between(-5, 5);
      if (random.between(0, 2) > 0) range.end = random.between(-5, 5);
      while ((range.step = random.between(-3, 3)) == 0) {
      }
    }
    add(shape, ranges);
  }
  row.uses_every_element = false;
  row.errors = {{"strided_slice: 2 ranges for shape (3,)", [](Tape& t) { strided_slice(of(t, {3}), {{}, {}}); }}};
  return row;
}

/// Folds a position outside of the axis back into it, one mirror or turn at a time.
std::optional<Index> folded(Index at, Index n, PadMode mode) {
  while (at < 0 || at >= n) {
    switch (mode) {
      case PadMode::constant:
        return std::nullopt;
      case PadMode::edge:
        return at < 0 ? 0 : n - 1;
      case PadMode::wrap:
        at += at < 0 ? n : -n;
        break;
      case PadMode::symmetric:
        at = at < 0 ? -1 - at : 2 * n - 1 - at;
        break;
      case PadMode::reflect:
        if (n == 1) return 0;
        at = at < 0 ? -at : 2 * n - 2 - at;
    }
  }
  return at;
}

OpRow pad_row() {
  OpRow row{.op = "pad", .name = "Pad", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& shape, const std::vector<PadWidths>& widths, const PaddingOptions& options) {
    std::string what = message("pad {}, {}", shape, option_names(options.mode)[static_cast<std::size_t>(options.mode)]);
    Shape result = shape;
    for (std::size_t axis = 0; axis < widths.size(); ++axis) {
      what += message(" ({}, {})", widths[axis].before, widths[axis].after);
      const auto at = static_cast<Index>(axis);
      result = result.with(at, shape[at] + widths[axis].before + widths[axis].after);
    }
    row.samples.push_back(sample_of(
        what, {shape}, [=](auto x) { return pad(x[0], widths, options); },
        [=](auto x) {
          return moved(
              x[0], result,
              [&](At at) -> std::optional<At> {
                for (std::size_t axis = 0; axis < widths.size(); ++axis) {
                  const auto from =
                      folded(at[axis] - widths[axis].before, shape[static_cast<Index>(axis)], options.mode);
                  if (!from) return std::nullopt;
                  at[axis] = *from;
                }
                return at;
              },
              static_cast<long double>(options.value));
        }));
  };
  add({3}, {{1, 2}}, {.value = -1.5});
  add({0, 2}, {{2, 0}}, {.value = 3});
  add({2, 3}, {}, {});
  add({2, 4, 4, 1}, {{}, {1, 1}, {2, 0}}, {});
  add({5}, {{-2, 1}}, {.mode = PadMode::edge});
  add({1}, {{3, 2}}, {.mode = PadMode::reflect});
  for (const PadMode mode : {PadMode::constant, PadMode::reflect, PadMode::symmetric, PadMode::edge, PadMode::wrap}) {
    add({3}, {{8, 7}}, {.mode = mode, .value = 2});
    for (std::uint64_t seed = 0; seed < random_samples / 2; ++seed) {
      Random random(seed);
      const Shape shape = random.shape();
      std::vector<PadWidths> widths(static_cast<std::size_t>(random.between(1, shape.rank())));
      for (std::size_t axis = 0; axis < widths.size(); ++axis) {
        widths[axis] = {random.between(-1, 3), random.between(0, 3)};
      }
      add(shape, widths, {.mode = mode, .value = 0.5});
    }
  }
  row.uses_every_element = false;  // a negative width drops some
  row.errors = {{"pad: 2 pairs of widths for shape (3,)",
                 [](Tape& t) {
                   pad(of(t, {3}), {{}, {1, 1}});
                 }},
                {"pad: widths -2 and -2 of axis 1 of shape (2, 3), which has 3 positions",
                 [](Tape& t) {
                   pad(of(t, {2, 3}), {{}, {-2, -2}});
                 }},
                {"pad: axis 0 of shape (0, 3) is empty; only a constant can pad it", [](Tape& t) {
                   pad(of(t, {0, 3}), {{1, 0}}, {.mode = PadMode::edge});
                 }}};
  return row;
}

}  // namespace

}  // namespace indexing

std::vector<OpRow> take_axis_rows() {
  using namespace indexing;
  return {take_positions_row(), strided_slice_row(), pad_row()};
}

}  // namespace cornu::testing
