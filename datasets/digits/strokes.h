#pragma once

#include <vector>

namespace cornu::datasets::detail {

/// A point that the pen passes, in hundredths of the drawing square: x to the right, y downwards.
/// The pen runs smoothly through the points of a stroke, except that it may turn sharply at a `corner`.
struct PenPoint {
  double x, y;
  bool corner = false;
};

/// What the pen writes without being lifted.
using Stroke = std::vector<PenPoint>;

/// One way of writing a digit.
struct Skeleton {
  double share;  // how common it is, relative to the digit's other skeletons
  std::vector<Stroke> strokes;
};

/// The ways of writing `digit`, 0 to 9: drawn by hand for Cornu, traced from no data set.
const std::vector<Skeleton>& skeletons(int digit);

}  // namespace cornu::datasets::detail
