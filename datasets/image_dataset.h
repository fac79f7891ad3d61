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
  /// One for each class, or none.
  std::vector<std::string> class_names{};
};

/// Images with a class each, kept as bytes: a quarter of the memory that numbers take. A pixel v becomes v / 255 while
/// a batch is gathered, so that features lie in [0, 1].
class ImageDataset {
 public:
  /// No images at all.
  ImageDataset() = default;
  /// pixels: the images one after the other, row by row. labels: one for each image.
  /// Throws ShapeError if the pixels are not just as many images as there are labels, ValueError for a label that is
  /// not below `classes`, naming row and label, and for a number of classes or names that cannot be.
  ImageDataset(std::vector<std::uint8_t> pixels, std::vector<std::uint8_t> labels, ImageOptions options = {});

  Index size() const { return static_cast<Index>(labels_.size()); }
  Shape feature_shape() const { return options_.shape; }
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has no room for the rows.
  void gather(std::span<const Index> rows, View x, View y) const;

  /// Begins to fetch these rows from memory.
  void prefetch(std::span<const Index> rows) const;

  /// The pixels of one image, and its class. Throws ValueError for a row out of range.
  std::span<const std::uint8_t> image(Index row) const;
  Index label(Index row) const;

  std::span<const std::uint8_t> pixels() const { return pixels_; }
  std::span<const std::uint8_t> labels() const { return labels_; }

  Index classes() const { return options_.classes; }
  /// What the class is called: its number, where it has no name. Throws ValueError if there is no such class.
  std::string class_name(Index label) const;

 private:
  std::vector<std::uint8_t> pixels_, labels_;
  ImageOptions options_;
};

}  // namespace cornu
