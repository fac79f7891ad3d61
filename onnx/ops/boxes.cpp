#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

/// Boxes in images: NonMaxSuppression and RoiAlign.
namespace cornu::onnx::detail {

namespace {

struct Box {
  double top, left, bottom, right;

  double area() const { return (bottom - top) * (right - left); }
};

Box box_of(const Real* numbers, bool centered) {
  const auto a = static_cast<double>(numbers[0]), b = static_cast<double>(numbers[1]),
             c = static_cast<double>(numbers[2]), d = static_cast<double>(numbers[3]);
  if (centered) return {b - d / 2, a - c / 2, b + d / 2, a + c / 2};
  return {std::min(a, c), std::min(b, d), std::max(a, c), std::max(b, d)};
}

/// Intersection over union.
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top),
               width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0 && width > 0)) return 0;
  return height * width / (a.area() + b.area() - height * width);
}

/// For each batch and class: the boxes with the highest scores that overlap no better one by more than iou_threshold.
void non_max_suppression(Call& call) {
  const Var boxes = call[0], scores = call[1];
  const Shape s = boxes.shape(), c = scores.shape();
  require<FormatError>(s.rank() == 3 && s[2] == 4 && c.rank() == 3 && c[0] == s[0] && c[2] == s[1],
                       "boxes {} and scores {}; (batch, boxes, 4) and (batch, classes, boxes) are required", s, c);
  Index most = 0;
  if (call.has(2)) {
    require<FormatError>(call.integers(2).size() == 1, "max_output_boxes_per_class has shape {}", call.shape(2));
    most = std::clamp(call.integers(2)[0], Index{0}, s[1]);
  }
  const double threshold = call.has(3) ? call.number(3) : 0;
  require<ValueError>(0 <= threshold && threshold <= 1, "iou_threshold is {}; 0 to 1 is required", threshold);
  const double least = call.has(4) ? call.number(4) : -INFINITY;
  const Index centered = call.integer("center_point_box", 0);
  require<FormatError>(centered == 0 || centered == 1, "center_point_box is {}; 0 or 1 is required", centered);
  const std::span<Index> chosen = call.memory<Index>(static_cast<std::size_t>(Shape{s[0], c[1], most, 3}.size()));
  const std::span<Index> order = call.memory<Index>(static_cast<std::size_t>(s[1])),
                         kept = call.memory<Index>(static_cast<std::size_t>(most));
  std::size_t count = 0;
  for (Index part = 0; part < s[0] * c[1]; ++part) {
    const Real* const of_boxes = scores.value().data() + part * s[1];
    const auto box = [&](Index i) {
      return box_of(boxes.value().data() + (part / c[1] * s[1] + i) * 4, centered == 1);
    };
    std::size_t candidates = 0, found = 0;
    for (Index i = 0; i < s[1]; ++i) {
      const auto score = static_cast<double>(of_boxes[i]);
      if (call.has(4) ? score > least : !std::isnan(score)) order[candidates++] = i;
    }
    std::stable_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(candidates),
                     [&](Index a, Index b) { return of_boxes[a] > of_boxes[b]; });
    for (const Index i : order.first(candidates)) {
      if (static_cast<Index>(found) == most) break;
      const std::span<const Index> better = kept.first(found);
      if (std::any_of(better.begin(), better.end(), [&](Index j) { return overlap(box(i), box(j)) > threshold; })) {
        continue;
      }
      kept[found++] = i;
      for (const Index number : {part / c[1], part % c[1], i}) chosen[count++] = number;
    }
  }
  call.integer_result(0, ElementType::int64, {static_cast<Index>(count / 3), 3}, chosen.first(count));
}

/// Where a point reads between pixels: four of them, with their weights.
struct Corners {
  std::array<Index, 4> pixels{};
  std::array<double, 4> weights{};
};

/// No weight for a point more than one pixel outside.
Corners corners_of(double y, double x, Index height, Index width) {
  Corners result;
  if (!(-1 <= y && y <= static_cast<double>(height) && -1 <= x && x <= static_cast<double>(width))) return result;
  const auto along = [](double at, Index n) {
    at = std::clamp(at, 0.0, static_cast<double>(n - 1));
    const auto low = static_cast<Index>(at);
    return std::array<double, 3>{static_cast<double>(low), static_cast<double>(std::min(low + 1, n - 1)),
                                 at - static_cast<double>(low)};
  };
  const auto rows = along(y, height), columns = along(x, width);
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t below = i / 2, right = i % 2;
    result.pixels[i] = static_cast<Index>(rows[below]) * width + static_cast<Index>(columns[right]);
    result.weights[i] = (below == 1 ? rows[2] : 1 - rows[2]) * (right == 1 ? columns[2] : 1 - columns[2]);
  }
  return result;
}

/// The mean (or maximum) over a grid of points in each bin of each region (He et al., 2017). Before opset 16, there is
/// no half pixel. As in ONNX, the maximum is over the weighted pixels, not over the points.
void roi_align(Call& call) {
  const Var x = call[0], rois = call[1];
  const Shape s = x.shape();
  require<FormatError>(s.rank() == 4 && s[2] > 0 && s[3] > 0, "images of shape {}", s);
  const std::span<const Index> batches = call.integers(2);
  const Index count = std::ssize(batches);
  require<FormatError>(rois.shape() == Shape{count, 4}, "regions {} for {} batch indices", rois.shape(), count);
  for (const Index batch : batches) {
    require<ValueError>(0 <= batch && batch < s[0], "batch index {} of {}", batch, s[0]);
  }
  const std::string_view how = call.text("coordinate_transformation_mode",
                                         call.opset() < 16 ? "output_half_pixel" : "half_pixel"),
                         mode = call.text("mode", "avg");
  require<FormatError>(how == "half_pixel" || how == "output_half_pixel",
                       "coordinate_transformation_mode is '{}'; half_pixel and output_half_pixel are known", how);
  require<FormatError>(mode == "avg" || mode == "max", "mode is '{}'; avg and max are known", mode);
  const Index height = call.integer("output_height", 1), width = call.integer("output_width", 1),
              ratio = call.integer("sampling_ratio", 0);
  const double scale = call.real("spatial_scale", 1), offset = how == "half_pixel" ? 0.5 : 0;
  require<FormatError>(
      0 < height && height < Index{1} << 20 && 0 < width && width < Index{1} << 20 && 0 <= ratio && ratio <= 1024,
      "an output of {} x {}, sampling_ratio {}", height, width, ratio);
  const Var y = call.tape().output({count, s[1], height, width}, {x, rois});
  for (Index i = 0; i < count * height * width; ++i) {
    const Index region = i / (height * width), row = i / width % height, column = i % width;
    const auto edge = [&](Index j) { return static_cast<double>(rois.value()[region * 4 + j]) * scale - offset; };
    const double left = edge(0), top = edge(1);
    double wide = edge(2) - left, high = edge(3) - top;
    if (offset == 0) {
      wide = std::max(wide, 1.0);
      high = std::max(high, 1.0);
    }
    const double bin_height = high / static_cast<double>(height), bin_width = wide / static_cast<double>(width);
    const auto points = [&](double bin) {
      require<ValueError>(std::abs(bin) <= 4096, "region {} has bins of {} pixels; at most 4096 are supported", region,
                          bin);
      return ratio > 0 ? ratio : std::max(Index{0}, static_cast<Index>(std::ceil(bin)));
    };
    const Index down = points(bin_height), across = points(bin_width);
    for (Index c = 0; c < s[1]; ++c) {
      const Real* const image = x.value().data() + (batches[static_cast<std::size_t>(region)] * s[1] + c) * s[2] * s[3];
      double sum = 0, largest = -INFINITY;
      for (Index p = 0; p < down * across; ++p) {
        const auto at = [](double first, Index bin, double size, Index point, Index of) {
          return first +
                 (static_cast<double>(bin) + (static_cast<double>(point) + 0.5) / static_cast<double>(of)) * size;
        };
        const Corners near = corners_of(at(top, row, bin_height, p / across, down),
                                        at(left, column, bin_width, p % across, across), s[2], s[3]);
        for (std::size_t j = 0; j < 4; ++j) {
          const double part = near.weights[j] * static_cast<double>(image[near.pixels[j]]);
          sum += part;
          largest = std::max(largest, part);
        }
      }
      const double points_count = static_cast<double>(std::max(Index{1}, down * across));
      const double result = mode == "avg" ? sum / points_count : down * across > 0 ? largest : 0;
      y.out()[((region * s[1] + c) * height + row) * width + column] = static_cast<Real>(result);
    }
  }
  call.result(y);
}

}  // namespace

std::span<const Op> box_ops() {
  static constexpr Op ops[] = {
      {.name = "NonMaxSuppression",
       .since = 10,
       .inputs = {2, 5},
       .attributes = "center_point_box ",
       .gradient = Gradient::zero,
       .run = non_max_suppression},
      {.name = "RoiAlign",
       .since = 10,
       .inputs = {3, 3},
       .attributes = "coordinate_transformation_mode mode output_height output_width sampling_ratio spatial_scale ",
       .gradient = Gradient::none,
       .run = roi_align},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
