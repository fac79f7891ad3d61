#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

struct ImageOptions {
  Shape shape{28, 28};
  Index classes = 10;
  /// One per class, or empty.
  std::vector<std::string> class_names{};
};

/// Labelled images, stored as bytes, a quarter of the size of floats. Gathering converts a pixel v to v / 255, so
/// features lie in [0, 1].
class ImageDataset {
 public:
  /// An empty dataset.
  ImageDataset() = default;
  /// pixels: the images one after the other, row by row. labels: one per image.
  /// Throws ShapeError if the number of pixels does not match the number of labels; ValueError, naming row and label,
  /// for a label not below `classes`, and for an invalid number of classes or class names.
  ImageDataset(std::vector<std::uint8_t> pixels, std::vector<std::uint8_t> labels, ImageOptions options = {});

  Index size() const { return static_cast<Index>(labels_.size()); }
  Shape feature_shape() const { return options_.shape; }
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has the wrong size.
  void gather(std::span<const Index> rows, View x, View y) const;

  /// Starts to load these rows into the cache.
  void prefetch(std::span<const Index> rows) const;

  /// The pixels and the class of one image. Throws ValueError for a row out of range.
  std::span<const std::uint8_t> image(Index row) const;
  Index label(Index row) const;

  std::span<const std::uint8_t> pixels() const { return pixels_; }
  std::span<const std::uint8_t> labels() const { return labels_; }

  Index classes() const { return options_.classes; }
  /// The name of the class, or its number if it has no name. Throws ValueError if there is no such class.
  std::string class_name(Index label) const;

 private:
  std::vector<std::uint8_t> pixels_, labels_;
  ImageOptions options_;
};

}  // namespace cornu
