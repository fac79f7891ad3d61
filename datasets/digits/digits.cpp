#include "cornu/datasets/digits/digits.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/datasets/digits/draw.h"

namespace cornu::datasets {

namespace {

constexpr Index most_samples = 100'000'000;

// Streams of the random number generator. Training sample i uses stream i.
constexpr std::uint64_t test_streams = std::uint64_t{1} << 62;
constexpr std::uint64_t order_streams = std::uint64_t{1} << 63;

/// Draws `count` samples with streams first_stream, first_stream + 1, ...
ImageDataset write(Index count, std::uint64_t seed, std::uint64_t first_stream) {
  constexpr auto sample_size = static_cast<std::size_t>(detail::digit_pixels);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * sample_size);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count));
  std::array<Index, 10> order{};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i % order.size() == 0) {
      std::iota(order.begin(), order.end(), Index{0});
      Rng(seed, order_streams + first_stream + i / order.size()).shuffle(order);
    }
    const Index digit = order[i % order.size()];
    labels[i] = static_cast<std::uint8_t>(digit);
    Rng rng(seed, first_stream + i);
    detail::draw_digit(static_cast<int>(digit), rng, std::span(pixels).subspan(i * sample_size).first<sample_size>());
  }
  return ImageDataset(std::move(pixels), std::move(labels));
}

}  // namespace

Digits digits(const DigitsOptions& options) {
  require<ValueError>(options.samples >= 1 && options.samples <= most_samples,
                      "digits: samples is {}; it must be at least 1 and at most {}", options.samples, most_samples);
  return {.train = write(options.samples, options.seed, 0),
          .test = write(std::max(options.samples / 6, Index{1}), options.seed, test_streams)};
}

}  // namespace cornu::datasets
