#pragma once

#include <vector>

namespace cornu::datasets::detail {

/// A point on the pen's path, in hundredths of the drawing square: x to the right, y downwards.
/// The path is smooth through the points of a stroke, except at a `corner`.
struct PenPoint {
  double x, y;
  bool corner = false;
};

/// The pen's path between touching the paper and lifting off.
using Stroke = std::vector<PenPoint>;

/// One way of writing a digit.
struct Skeleton {
  double share;  // its frequency, relative to the digit's other skeletons
  std::vector<Stroke> strokes;
};

/// The ways of writing `digit`, 0 to 9. Drawn by hand for Cornu, not traced from any data set.
const std::vector<Skeleton>& skeletons(int digit);

}  // namespace cornu::datasets::detail
