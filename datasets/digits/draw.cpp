#include "cornu/datasets/digits/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cornu/datasets/digits/strokes.h"

namespace cornu::datasets::detail {

namespace {

// Uses only + - * / and sqrt, which IEEE 754 rounds the same way everywhere, and double even if Real is float: the
// digits depend neither on a C library's sin nor on how Cornu was built. For the same reason no expression draws two
// random numbers unless it is a braced list: only there does the standard define the order of evaluation.

constexpr Index box = 20;  // the longer side of the digit, as in MNIST
constexpr Index margin = (digit_side - box) / 2;
constexpr int steps_per_span = 6;

struct Point {
  double x, y;
};

/// A point on the pen's path, in pixels after fit(). `lifted`: the pen moves here without drawing.
struct Dot {
  Point at;
  double radius;
  bool lifted;
};

using Path = std::vector<Dot>;
using Image = std::array<double, digit_pixels>;

double uniform(Rng& rng, double low, double high) {
  return low + (high - low) * (static_cast<double>(rng.bits() >> 11) * 0x1p-53);
}

/// Bell-shaped with the given standard deviation, limited to three of them: the sum of three uniform numbers.
double bell(Rng& rng, double stddev) {
  double sum = uniform(rng, -1, 1);
  sum += uniform(rng, -1, 1);
  sum += uniform(rng, -1, 1);
  return stddev * sum;
}

/// u^power for a uniform u: between 0 and 1, mostly near 0.
double seldom(Rng& rng, int power) {
  const double u = uniform(rng, 0, 1);
  double result = 1;
  for (int i = 0; i < power; ++i) result *= u;
  return result;
}

/// A sine of period 1, approximated by two parabolas to within 0.056.
double wave(double t) {
  t -= std::floor(t);
  return t < 0.5 ? 16 * t * (0.5 - t) : 16 * (t - 0.5) * (t - 1);
}

const Skeleton& choose(const std::vector<Skeleton>& ways, Rng& rng) {
  double total = 0;
  for (const Skeleton& way : ways) total += way.share;
  double rest = uniform(rng, 0, total);
  for (const Skeleton& way : ways) {
    rest -= way.share;
    if (rest < 0) return way;
  }
  return ways.back();
}

/// Appends the curve through points first to last (inclusive) to `path`: uniform Catmull-Rom splines. The tangent at a
/// point is half the vector from its predecessor to its successor, and at an end half the vector to or from its
/// neighbour.
void trace_smooth(const std::vector<Point>& points, std::size_t first, std::size_t last, Path& path) {
  const auto tangent = [&](std::size_t i) {
    const Point before = points[std::max(i, first + 1) - 1];
    const Point after = points[std::min(i + 1, last)];
    return Point{(after.x - before.x) / 2, (after.y - before.y) / 2};
  };
  for (std::size_t i = first; i < last; ++i) {
    const Point a = points[i], b = points[i + 1], da = tangent(i), db = tangent(i + 1);
    for (int k = 1; k <= steps_per_span; ++k) {
      const double t = static_cast<double>(k) / steps_per_span, s = 1 - t;
      const double wa = s * s * (1 + 2 * t), wb = t * t * (1 + 2 * s), va = s * s * t, vb = -t * t * s;
      path.push_back(
          {{wa * a.x + wb * b.x + va * da.x + vb * db.x, wa * a.y + wb * b.y + va * da.y + vb * db.y}, 0, false});
    }
  }
}

/// The skeleton as a path in the unit square around the origin, with each point moved a little.
Path trace(const Skeleton& skeleton, Rng& rng) {
  const double shake = uniform(rng, 0.01, 0.055);
  Path path;
  std::vector<Point> points;
  for (const Stroke& stroke : skeleton.strokes) {
    points.clear();
    // The whole stroke is displaced as well, so that bars and stems miss each other slightly.
    const Point astray = skeleton.strokes.size() > 1 ? Point{bell(rng, 0.025), bell(rng, 0.025)} : Point{0, 0};
    for (const PenPoint& p : stroke) {
      points.push_back({p.x / 100 - 0.5 + astray.x + bell(rng, shake), p.y / 100 - 0.5 + astray.y + bell(rng, shake)});
    }
    path.push_back({points.front(), 0, true});
    std::size_t first = 0;
    for (std::size_t i = 1; i < stroke.size(); ++i) {
      if (!stroke[i].corner && i + 1 < stroke.size()) continue;
      trace_smooth(points, first, i, path);
      first = i;
    }
  }
  return path;
}

/// Applies the writer's hand: proportions, elastic displacement, slant and rotation.
void bend(Path& path, int digit, Rng& rng) {
  const double middle = bell(rng, 0.06);  // moves the waist up or down
  const double spread = bell(rng, 0.25);  // widens the top or the bottom
  const double bow = bell(rng, 0.05);     // bends the vertical
  const double aspect = digit == 1 ? 1 : uniform(rng, 0.65, 1.35);
  // Most handwriting leans to the right, a single stem most of all.
  double slant = 0.2 + bell(rng, 0.3);
  if (digit == 1) slant += uniform(rng, 0, 0.25);
  // Rotation by 2 atan(t): (1 - t^2, 2t) / (1 + t^2) is a point of the unit circle.
  const double t = bell(rng, 0.06);
  const double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
  struct Ripple {
    double dx, dy, fx, fy, phase;
  };
  std::array<Ripple, 3> ripples;
  const double strength = 0.08 * seldom(rng, 2);
  for (Ripple& r : ripples) {
    r = {bell(rng, strength), bell(rng, strength), uniform(rng, -1.3, 1.3), uniform(rng, -1.3, 1.3),
         uniform(rng, 0, 1)};
  }
  for (Dot& dot : path) {
    double x = dot.at.x, y = dot.at.y;
    const double bulge = 1 - 4 * y * y;  // 1 at the centre, 0 at top and bottom
    x = x * (1 + 2 * spread * y) + bow * bulge;
    y += middle * bulge;
    double dx = 0, dy = 0;
    for (const Ripple& r : ripples) {
      const double w = wave(r.fx * x + r.fy * y + r.phase);
      dx += r.dx * w;
      dy += r.dy * w;
    }
    x = (x + dx) * aspect;
    y += dy;
    x -= slant * y;
    dot.at = {cosine * x - sine * y, sine * x + cosine * y};
  }
}

/// Scales the path so that the ink's longer side fills the box at the centre of the image, and sets the pen's width.
void fit(Path& path, Rng& rng) {
  double radius = uniform(rng, 0.75, 1.6);
  radius += 1.2 * seldom(rng, 4);
  const double pressure = bell(rng, 0.2), rate = uniform(rng, 0.5, 1.5), phase = uniform(rng, 0, 1);
  Point low = path.front().at, high = low;
  for (const Dot& dot : path) {
    low = {std::min(low.x, dot.at.x), std::min(low.y, dot.at.y)};
    high = {std::max(high.x, dot.at.x), std::max(high.y, dot.at.y)};
  }
  const double scale = (static_cast<double>(box) - 2 * radius) / std::max(high.x - low.x, high.y - low.y);
  const double middle = digit_side / 2.0;
  double along = 0;
  for (Dot& dot : path) {
    dot.at.x = middle + scale * (dot.at.x - (low.x + high.x) / 2);
    dot.at.y = middle + scale * (dot.at.y - (low.y + high.y) / 2);
    along += 1.0 / static_cast<double>(path.size());
    dot.radius = radius * (1 + pressure * wave(rate * along + phase));
  }
}

/// Inks every pixel near the path according to how far its centre lies within the pen's edge.
Image ink(const Path& path, double softness) {
  Image image{};
  for (std::size_t i = 1; i < path.size(); ++i) {
    const Dot &a = path[i - 1], &b = path[i];
    if (b.lifted) continue;
    const double reach = std::max(a.radius, b.radius) + softness / 2 + 0.5;
    const auto cell = [](double at) { return std::clamp(static_cast<Index>(std::floor(at)), Index{0}, digit_side); };
    const Index left = cell(std::min(a.at.x, b.at.x) - reach + 1), right = cell(std::max(a.at.x, b.at.x) + reach);
    const Index top = cell(std::min(a.at.y, b.at.y) - reach + 1), bottom = cell(std::max(a.at.y, b.at.y) + reach);
    const double ux = b.at.x - a.at.x, uy = b.at.y - a.at.y;
    const double per_length = 1 / std::max(ux * ux + uy * uy, 1e-12);
    for (Index row = top; row < bottom; ++row) {
      for (Index col = left; col < right; ++col) {
        const double px = static_cast<double>(col) + 0.5 - a.at.x, py = static_cast<double>(row) + 0.5 - a.at.y;
        const double t = std::clamp((px * ux + py * uy) * per_length, 0.0, 1.0);
        const double dx = px - t * ux, dy = py - t * uy;
        const double inside = a.radius + t * (b.radius - a.radius) - std::sqrt(dx * dx + dy * dy);
        double& pixel = image[static_cast<std::size_t>(row * digit_side + col)];
        pixel = std::max(pixel, std::min(inside / softness + 0.5, 1.0));
      }
    }
  }
  return image;
}

/// The offset of the centre of mass from the centre, to the right and down, in whole pixels. Counts only the box.
std::array<Index, 2> off_centre(const Image& image) {
  double mass = 0, x = 0, y = 0;
  for (Index row = margin; row < digit_side - margin; ++row) {
    for (Index col = margin; col < digit_side - margin; ++col) {
      const double m = image[static_cast<std::size_t>(row * digit_side + col)];
      mass += m;
      x += m * (static_cast<double>(col) + 0.5);
      y += m * (static_cast<double>(row) + 0.5);
    }
  }
  const auto offset = [&](double sum) {
    const double pixels = sum / mass - digit_side / 2.0;
    return std::clamp(static_cast<Index>(std::floor(pixels + 0.5)), -margin, margin);
  };
  return {offset(x), offset(y)};
}

}  // namespace

void draw_digit(int digit, Rng& rng, std::span<std::uint8_t, digit_pixels> pixels) {
  Path path = trace(choose(skeletons(digit), rng), rng);
  bend(path, digit, rng);
  fit(path, rng);
  const Image image = ink(path, uniform(rng, 0.9, 1.9));
  const auto [right, down] = off_centre(image);
  const double gain = uniform(rng, 0.9, 1.15), grain = uniform(rng, 0, 0.12);
  std::fill(pixels.begin(), pixels.end(), std::uint8_t{0});
  for (Index row = margin; row < digit_side - margin; ++row) {
    for (Index col = margin; col < digit_side - margin; ++col) {
      const double value = image[static_cast<std::size_t>(row * digit_side + col)];
      if (value <= 0) continue;
      const double shade = std::clamp(value * (gain + uniform(rng, -grain, grain)), 0.0, 1.0);
      // Moves by at most the margin, so that the digit stays in the image.
      const Index moved = (row - down) * digit_side + (col - right);
      pixels[static_cast<std::size_t>(moved)] = static_cast<std::uint8_t>(255 * shade + 0.5);
    }
  }
}

}  // namespace cornu::datasets::detail
