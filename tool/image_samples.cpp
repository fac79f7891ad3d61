#include "cornu/tool/image_samples.h"

#include <utility>

#include "cornu/core/error.h"
#include "cornu/tool/image.h"

namespace cornu::tool {

namespace {

/// The number of channels of an image for this input; 1 for a model that takes any shape.
Index channels_of(const std::optional<Shape>& input, const std::string& path) {
  if (!input || input->rank() == 1 || input->rank() == 2) return 1;
  const auto is_channels = [](Index size) { return size == 1 || size == 3; };
  require(input->rank() == 3 && (is_channels((*input)[2]) || is_channels((*input)[0])),
          "{}: an image, but the model takes shape {}, which is not an image", path, *input);
  return is_channels((*input)[2]) ? (*input)[2] : (*input)[0];
}

/// Converts grey to the required channels by repetition, and orders the axes.
std::vector<std::uint16_t> arranged(Image image, Index channels, bool channels_last) {
  if (image.channels == channels && (channels_last || channels == 1)) return std::move(image.values);
  const Index pixels = image.height * image.width;
  std::vector<std::uint16_t> result(static_cast<std::size_t>(pixels * channels));
  for (Index pixel = 0; pixel < pixels; ++pixel) {
    for (Index c = 0; c < channels; ++c) {
      const Index from = image.channels == 1 ? pixel : pixel * channels + c,
                  to = channels_last ? pixel * channels + c : c * pixels + pixel;
      result[static_cast<std::size_t>(to)] = image.values[static_cast<std::size_t>(from)];
    }
  }
  return result;
}

}  // namespace

Numbers read_image(std::span<const std::byte> bytes, const std::string& name, FileKind kind,
                   const std::optional<Shape>& input) {
  const Index channels = channels_of(input, name);
  const bool channels_last = !input || input->rank() < 3 || (*input)[2] == channels;
  const auto shape_of = [&](Index height, Index width) {
    return channels_last ? Shape{height, width, channels} : Shape{channels, height, width};
  };
  const auto check = [&](Index height, Index width) {
    if (!input) return;
    const bool fits = input->rank() == 1   ? input->size() == height * width
                      : input->rank() == 2 ? *input == Shape{height, width}
                                           : *input == shape_of(height, width);
    require(fits, "{}: an image of {} x {} pixels (height x width), but the model takes {}", name, height, width,
            *input);
  };
  Image image = kind == FileKind::png ? read_png(bytes, name, channels, check) : read_pgm(bytes, name, check);
  const Shape shape = input ? input->batched(1) : Shape{1, image.height, image.width};
  Numbers result{.largest = image.largest};
  const auto& values =
      result.owner.emplace<std::vector<std::uint16_t>>(arranged(std::move(image), channels, channels_last));
  const auto dimensions = shape.dimensions();
  result.array = {.name = name,
                  .dtype = Dtype::u16,
                  .shape{dimensions.begin(), dimensions.end()},
                  .bytes = std::as_bytes(std::span(values))};
  return result;
}

}  // namespace cornu::tool
