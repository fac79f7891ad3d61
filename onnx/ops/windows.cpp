#include "cornu/onnx/ops/windows.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"

namespace cornu::onnx::detail {

namespace {

Var padded_along(Var x, Index axis, const WindowAxis& m, Real fill) {
  if (m.is_valid()) return x;
  const std::span<Index> positions = counted(x.tape(), (m.out - 1) * m.stride + m.reach());
  for (Index& position : positions) {
    position -= m.before;
    if (position < 0 || position >= m.in) position = -1;
  }
  return detail::take(x, axis, positions, fill);
}

}  // namespace

Windows windows_of(const Call& call, const Shape& image, std::span<const Index> kernel) {
  const auto spatial = static_cast<std::size_t>(image.rank() - 2);
  require<FormatError>(kernel.size() == spatial, "windows of {} for images of shape {} (batch first, channels last)",
                       to_string(kernel), image);
  constexpr Index most = Index{1} << 30;
  const auto list = [&](const char* name, std::size_t count) -> std::span<const Index> {
    if (!call.has(name)) return {};
    const std::span<const Index> numbers = call.integers(name);
    require<FormatError>(numbers.size() == count, "'{}' has {} numbers, expected {}", name, numbers.size(), count);
    for (const Index number : numbers) {
      require<FormatError>(0 <= number && number <= most, "'{}' is {}; values must be from 0 to {}", name,
                           to_string(numbers), most);
    }
    return numbers;
  };
  const auto strides = list("strides", spatial), dilations = list("dilations", spatial),
             pads = list("pads", 2 * spatial);
  const std::string_view automatic = call.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  require<FormatError>(same || automatic == "NOTSET" || automatic == "VALID",
                       "auto_pad is '{}'; SAME_UPPER, SAME_LOWER, VALID and NOTSET are known", automatic);
  Windows result{{{1, 1, 1, 1, 0, 0, 1}, {1, 1, 1, 1, 0, 0, 1}}};
  for (std::size_t i = 0; i < spatial; ++i) {
    WindowAxis m{.in = image[static_cast<Index>(i) + 1],
                 .taps = kernel[i],
                 .stride = strides.empty() ? 1 : strides[i],
                 .dilation = dilations.empty() ? 1 : dilations[i]};
    require<FormatError>(0 < m.taps && m.taps <= most && m.stride > 0 && m.dilation > 0 && m.in > 0,
                         "a window of {}, stride {}, dilation {} over {} pixels", m.taps, m.stride, m.dilation, m.in);
    if (same) {
      m.out = (m.in - 1) / m.stride + 1;
      const Index total = std::max(Index{0}, (m.out - 1) * m.stride + m.reach() - m.in);
      m.before = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      m.after = total - m.before;
    } else {
      if (!pads.empty() && automatic == "NOTSET") {
        m.before = pads[i];
        m.after = pads[i + spatial];
      }
      const Index room = m.in + m.before + m.after - m.reach();
      require<FormatError>(room >= 0, "{} pixels and {} of padding are smaller than the window, which spans {}", m.in,
                           m.before + m.after, m.reach());
      const bool rounds_up = call.integer("ceil_mode", 0) != 0;
      m.out = (rounds_up ? (room + m.stride - 1) / m.stride : room / m.stride) + 1;
      // A window that would start in the padding after the pixels is dropped: the rule of opset 22, which runtimes
      // applied before.
      if (rounds_up && m.start(m.out - 1) >= m.in) --m.out;
    }
    result[i + 2 - spatial] = m;
  }
  return result;
}

Var image_of(Var x) { return x.rank() == 4 ? x : cornu::reshape(x, {x.shape()[0], 1, x.shape()[1], x.shape()[2]}); }
Var like(Var y, Var x) { return x.rank() == 4 ? y : cornu::reshape(y, {y.shape()[0], y.shape()[2], y.shape()[3]}); }

Var padded(Var image, const Windows& w, Real fill) {
  return padded_along(padded_along(image, 1, w[0], fill), 2, w[1], fill);
}

std::optional<Padding> padding_of(const Windows& w) {
  if (w[0].is_valid() && w[1].is_valid()) return Padding::valid;
  if (w[0].is_same() && w[1].is_same()) return Padding::same;
  if (w[0].is_causal() && w[1].is_causal()) return Padding::causal;
  return std::nullopt;
}

}  // namespace cornu::onnx::detail
