#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/models/streaming/packed_product.h"
#include "cornu/models/streaming/plan_builder.h"

/// Convolutions and pooling over time.
namespace cornu::detail {

std::optional<StreamWindow> stream_window(const Trace& trace, const Trace::Op& op) {
  const bool is_max = op.name == "stream_max_pool2d";
  if (is_max || op.name == "stream_average_pool2d") {
    const auto axis = static_cast<std::size_t>(op.integer("axis"));
    return StreamWindow{.taps = op.integers("size")[axis],
                        .initial = is_max ? -std::numeric_limits<Real>::infinity() : Real{0}};
  }
  if (op.name != "stream_conv2d" && op.name != "stream_depthwise_conv2d") return std::nullopt;
  const Index axis = op.integer("axis");
  return StreamWindow{.taps = trace.operand(op, 1).at(1)[axis],
                      .dilation = op.integers("dilations")[static_cast<std::size_t>(axis)]};
}

namespace {

/// Windows over time: their rows, and how they come.
class Windows {
 public:
  /// Makes the memory of the result, too.
  explicit Windows(StreamBuilder& to) : window_(*stream_window(to.trace(), to.op())), x_(to.operand(0)) {
    const auto axis = static_cast<std::size_t>(to.op().integer("axis"));
    stride_ = to.op().integers("strides")[axis];
    const Index wait = window_.reach() - 1 - to.op().integers("pads")[axis];
    if (window_.reach() > 1) {
      const StreamRing* const of_x = to.ring_of(x_, window_);
      is_written_ = of_x != nullptr;
      ring_ = is_written_ ? *of_x
                          : to.ring(StreamRing::for_windows(window_.reach(), x_.width, to.block_size()),
                                    window_.initial, x_.rate);
    }
    counters_ = to.state(std::vector<Real>{static_cast<Real>(wait), 0});
    to.count(counters_, std::max(wait, stride_));
    to.count(counters_ + 1, window_.reach());
    y_ = to.result(stride_ == 1 && wait == 0 ? x_.rate : to.new_rate());
  }

  const StreamWindow& shape() const { return window_; }
  Index stride() const { return stride_; }
  Index width() const { return x_.width; }
  const StreamValue& y() const { return y_; }

  /// The windows that end in a block. Window i begins i * stride rows after the first; its rows from the tap `wrap_tap`
  /// on are `wrap` elements earlier.
  struct Block {
    const Real* rows = nullptr;  // of the first window
    Index count = 0, wrap_tap = 0, wrap = 0;
    Index known = 0;  // rows so far, at the end of the first window, at most reach()
  };
  Block next(const StreamFrame& frame) const {
    const Index n = frame.rows[x_.rate], reach = window_.reach();
    Real &wait = frame.state[counters_], &known = frame.state[counters_ + 1];
    const auto skip = static_cast<Index>(wait);
    const Index begin = std::min(skip, n);  // of the rows of the block
    Block block{.count = skip < n ? (n - skip + stride_ - 1) / stride_ : 0,
                .known = std::min(static_cast<Index>(known) + skip + 1, reach)};
    if (reach == 1) {
      block.rows = x_.in(frame) + begin * x_.width;
      block.wrap_tap = 1;
    } else {
      const Index place = ring_.place(frame.state);
      if (!is_written_) std::copy_n(x_.in(frame), n * x_.width, ring_.row(place, frame.state));
      ring_.repeat(n, frame.state);
      Index first = place - (reach - 1) + begin;
      first += first < 0 ? ring_.length : first >= ring_.length ? -ring_.length : 0;
      block.rows = ring_.row(first, frame.state);
      block.wrap_tap = (ring_.length - first + window_.dilation - 1) / window_.dilation;
      block.wrap = ring_.length * ring_.width;
    }
    wait = static_cast<Real>(skip + block.count * stride_ - n);
    known = std::min(known + static_cast<Real>(n), static_cast<Real>(reach));
    frame.rows[y_.rate] = block.count;
    return block;
  }

 private:
  StreamWindow window_;
  Index stride_ = 1;
  StreamValue x_, y_;
  StreamRing ring_;
  bool is_written_ = false;  // the op before writes its result into the ring
  Index counters_ = 0;       // in the state: the rows to skip before the next window, then the rows so far
};

class Convolution final : public StreamOp {
 public:
  explicit Convolution(StreamBuilder& to) : windows_(to) {
    const Shape kernel = to.shape(1);
    const bool is_depthwise = to.op().name == "stream_depthwise_conv2d";
    groups_ = is_depthwise ? kernel[2] : to.op().integer("groups");
    const Index in = is_depthwise ? 1 : kernel[2], out = is_depthwise ? kernel[2] * kernel[3] : kernel[3];
    group_in_ = in;
    group_out_ = out / groups_;
    const Index depth = windows_.shape().taps * in;
    const ConstView numbers = to.numbers(1);
    for (Index group = 0; group < groups_; ++group) {
      Tensor part(Shape{depth, group_out_}), bias(Shape{group_out_});
      for (Index k = 0; k < depth; ++k) {
        std::copy_n(numbers.data() + k * out + group * group_out_, group_out_, part.data() + k * group_out_);
      }
      if (to.operand_count() > 2) std::copy_n(to.numbers(2).data() + group * group_out_, group_out_, bias.data());
      products_.emplace_back(part, bias, !is_depthwise && to.op().flag("relu"));
    }
  }
  void run(const StreamFrame& frame) const override {
    const Windows::Block block = windows_.next(frame);
    const Index width = windows_.width();
    for (Index group = 0; group < groups_; ++group) {
      products_[static_cast<std::size_t>(group)].run({.left = block.rows + group * group_in_,
                                                      .left_row = windows_.stride() * width,
                                                      .parts = windows_.shape().taps,
                                                      .part_stride = windows_.shape().dilation * width,
                                                      .wrap_part = block.wrap_tap,
                                                      .wrap = block.wrap,
                                                      .length = group_in_},
                                                     block.count, windows_.y().out(frame) + group * group_out_,
                                                     windows_.y().width, groups_ == 1);
    }
  }

 private:
  Windows windows_;
  Index groups_ = 1, group_in_ = 0, group_out_ = 0;
  std::vector<PackedProduct> products_;
};

class Pooling final : public StreamOp {
 public:
  explicit Pooling(StreamBuilder& to) : is_max_(to.op().name == "stream_max_pool2d"), windows_(to) {}
  void run(const StreamFrame& frame) const override {
    const Windows::Block block = windows_.next(frame);
    const Index width = windows_.width(), taps = windows_.shape().taps;
    Real* y = windows_.y().out(frame);
    for (Index i = 0; i < block.count; ++i, y += width) {
      const Real* const first = block.rows + i * windows_.stride() * width;
      std::copy_n(first, width, y);
      for (Index tap = 1; tap < taps; ++tap) {
        const Real* const x = first + tap * width - (tap >= block.wrap_tap ? block.wrap : 0);
        if (is_max_) {
          for (Index j = 0; j < width; ++j) y[j] = x[j] > y[j] || x[j] != x[j] ? x[j] : y[j];
        } else {
          for (Index j = 0; j < width; ++j) y[j] += x[j];
        }
      }
      if (is_max_) continue;
      const auto count = static_cast<Real>(std::min(block.known + i * windows_.stride(), taps));
      for (Index j = 0; j < width; ++j) y[j] /= count;
    }
  }

 private:
  bool is_max_;
  Windows windows_;
};

template <class Op>
void add(StreamBuilder& to) {
  to.add(std::make_unique<Op>(to));
}

constexpr std::array<std::pair<std::string_view, StreamRow>, 4> window_rows{
    {{"stream_conv2d", add<Convolution>},
     {"stream_depthwise_conv2d", add<Convolution>},
     {"stream_max_pool2d", add<Pooling>},
     {"stream_average_pool2d", add<Pooling>}}};

}  // namespace

StreamRows stream_window_rows() { return window_rows; }

}  // namespace cornu::detail
