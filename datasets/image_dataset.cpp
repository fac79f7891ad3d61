#include "cornu/datasets/image_dataset.h"

#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

namespace {

constexpr Index most_classes = 256;  // a label is one byte

/// v / 255 to the last bit, but several times as fast as a division. 1/255 is 257/65536 plus a small remainder: the
/// first product is exact, and the second is too small for its rounding to matter. (Multiplying by the Real nearest to
/// 1/255 is off by one unit in the last place for 126 of the 256 values.)
Real scaled(std::uint8_t pixel) {
  const auto v = static_cast<Real>(pixel);
  return v * (Real(257) / 65536) + v * static_cast<Real>(1.0 / (255.0 * 65536.0));
}

}  // namespace

ImageDataset::ImageDataset(std::vector<std::uint8_t> pixels, std::vector<std::uint8_t> labels, ImageOptions options)
    : pixels_(std::move(pixels)), labels_(std::move(labels)), options_(std::move(options)) {
  require<ValueError>(options_.classes >= 1 && options_.classes <= most_classes,
                      "ImageDataset: {} classes; there must be at least 1 and at most {}", options_.classes,
                      most_classes);
  require<ValueError>(options_.class_names.empty() || std::ssize(options_.class_names) == options_.classes,
                      "ImageDataset: {} class names were given for {} classes", options_.class_names.size(),
                      options_.classes);
  const Shape images = options_.shape.batched(size());
  require(images.size() == std::ssize(pixels_),
          "ImageDataset: {} labels need {} pixels for images of {}, but {} were given", size(), images.size(),
          options_.shape, pixels_.size());
  for (Index row = 0; row < size(); ++row) {
    require<ValueError>(label(row) < options_.classes, "ImageDataset: label {} in row {}; labels must be below {}",
                        label(row), row, options_.classes);
  }
}

void ImageDataset::gather(std::span<const Index> rows, View x, View y) const {
  const Index width = options_.shape.size();
  detail::check_gather("ImageDataset", rows, size(), width, 1, x, y);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    y[static_cast<Index>(i)] = static_cast<Real>(labels_[static_cast<std::size_t>(rows[i])]);
  }
  vectorized([=, pixels = pixels_.data(), to = x.data()] {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::uint8_t* const image = pixels + rows[i] * width;
      Real* const row = to + static_cast<Index>(i) * width;
      for (Index j = 0; j < width; ++j) row[j] = scaled(image[j]);
    }
  });
}

void ImageDataset::prefetch(std::span<const Index> rows) const {
  const Index width = options_.shape.size();
  for (const Index row : rows) {
    if (row < 0 || row >= size()) continue;
    detail::prefetch(pixels_.data() + row * width, static_cast<std::size_t>(width));
    detail::prefetch(labels_.data() + row, 1);
  }
}

std::span<const std::uint8_t> ImageDataset::image(Index row) const {
  require<ValueError>(row >= 0 && row < size(), "ImageDataset: row {} is out of range; there are {} rows", row, size());
  const auto width = static_cast<std::size_t>(options_.shape.size());
  return {pixels_.data() + static_cast<std::size_t>(row) * width, width};
}

Index ImageDataset::label(Index row) const {
  require<ValueError>(row >= 0 && row < size(), "ImageDataset: row {} is out of range; there are {} rows", row, size());
  return labels_[static_cast<std::size_t>(row)];
}

std::string ImageDataset::class_name(Index label) const {
  require<ValueError>(label >= 0 && label < classes(), "ImageDataset: class {} is out of range; there are {} classes",
                      label, classes());
  return options_.class_names.empty() ? std::to_string(label) : options_.class_names[static_cast<std::size_t>(label)];
}

}  // namespace cornu
