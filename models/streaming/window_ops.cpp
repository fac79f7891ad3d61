#include <algorithm>
#include <array>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/models/streaming/packed_product.h"
#include "cornu/models/streaming/plan_builder.h"

/// Convolutions and pooling over time.
namespace cornu::detail {

const Real* StreamRing::push(const Real* x, Index n, Index count, Real* state) const {
  Real& next = state[2 * length * width];
  const auto place = static_cast<Index>(next);
  const Index first = std::min(n, length - place);
  const auto write = [&](Real* ring) {
    std::copy_n(x, first * width, ring + place * width);
    std::copy_n(x + first * width, (n - first) * width, ring);
  };
  write(state);
  write(state + length * width);
  const Index end = place + n >= length ? place + n - length : place + n;
  next = static_cast<Real>(end);
  return state + (end + length - count) * width;
}

namespace {

/// Windows over time: their taps, and how they come.
struct Windows {
  StreamRing ring;
  Index taps = 1, dilation = 1, stride = 1;
  StreamValue x, y;
  Index state = 0;  // the ring, then the rows to skip before the next window, then the rows so far

  Index reach() const { return (taps - 1) * dilation + 1; }

  /// taps: along time. initial: of the rows before the first. Makes the memory of the result, too.
  Windows(StreamBuilder& to, Index tap_count, Index dilation_rate, Real initial)
      : taps(tap_count), dilation(dilation_rate), x(to.operand(0)) {
    const auto axis = static_cast<std::size_t>(to.op().integer("axis"));
    stride = to.op().integers("strides")[axis];
    const Index wait = reach() - 1 - to.op().integers("pads")[axis];
    ring = {reach() - 1 + to.block_size(), x.width};
    if (reach() > 1 || stride > 1) {
      std::vector<Real> memory(static_cast<std::size_t>(ring.size()), initial);
      memory.back() = 0;
      memory.push_back(static_cast<Real>(wait));
      memory.push_back(0);
      state = to.state(memory);
      to.count(state + ring.size() - 1, ring.length - 1);
      to.count(state + ring.size(), std::max(wait, stride));
      to.count(state + ring.size() + 1, reach());
    }
    y = to.result(stride == 1 && wait == 0 ? x.rate : to.new_rate());
  }

  struct Block {
    const Real* rows = nullptr;  // of the first window
    Index count = 0;             // windows that end in this block
    Index known = 0;             // rows so far, at the end of the first window, at most reach()
  };
  Block next(const StreamFrame& frame) const {
    const Index n = frame.rows[x.rate];
    if (reach() == 1 && stride == 1) return {x.in(frame), n, 1};
    Real* const memory = frame.state + state;
    Real &wait = memory[ring.size()], &known = memory[ring.size() + 1];
    const Real* const all = ring.push(x.in(frame), n, reach() - 1 + n, memory);
    const auto skip = static_cast<Index>(wait);
    Block block{all + skip * ring.width, skip < n ? (n - skip + stride - 1) / stride : 0,
                std::min(static_cast<Index>(known) + skip + 1, reach())};
    wait = static_cast<Real>(skip + block.count * stride - n);
    known = std::min(known + static_cast<Real>(n), static_cast<Real>(reach()));
    frame.rows[y.rate] = block.count;
    return block;
  }
};

class Convolution final : public StreamOp {
 public:
  explicit Convolution(StreamBuilder& to) : windows_(to, to.shape(1)[to.op().integer("axis")], dilation(to), 0) {
    const Shape kernel = to.shape(1);
    const bool is_depthwise = to.op().name == "stream_depthwise_conv2d";
    groups_ = is_depthwise ? kernel[2] : to.op().integer("groups");
    const Index in = is_depthwise ? 1 : kernel[2], out = is_depthwise ? kernel[2] * kernel[3] : kernel[3];
    group_in_ = in;
    group_out_ = out / groups_;
    const Index depth = windows_.taps * in;
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
    const Index width = windows_.ring.width;
    for (Index group = 0; group < groups_; ++group) {
      products_[static_cast<std::size_t>(group)].run({.left = block.rows + group * group_in_,
                                                      .left_row = windows_.stride * width,
                                                      .parts = windows_.taps,
                                                      .part_stride = windows_.dilation * width,
                                                      .length = group_in_},
                                                     block.count, windows_.y.out(frame) + group * group_out_,
                                                     windows_.y.width, groups_ == 1);
    }
  }

 private:
  static Index dilation(const StreamBuilder& to) {
    return to.op().integers("dilations")[static_cast<std::size_t>(to.op().integer("axis"))];
  }

  Windows windows_;
  Index groups_ = 1, group_in_ = 0, group_out_ = 0;
  std::vector<PackedProduct> products_;
};

class Pooling final : public StreamOp {
 public:
  explicit Pooling(StreamBuilder& to)
      : is_max_(to.op().name == "stream_max_pool2d"),
        windows_(to, to.op().integers("size")[static_cast<std::size_t>(to.op().integer("axis"))], 1,
                 is_max_ ? -std::numeric_limits<Real>::infinity() : Real{0}) {}
  void run(const StreamFrame& frame) const override {
    const Windows::Block block = windows_.next(frame);
    const Index width = windows_.ring.width;
    Real* y = windows_.y.out(frame);
    for (Index i = 0; i < block.count; ++i, y += width) {
      const Real* x = block.rows + i * windows_.stride * width;
      std::copy_n(x, width, y);
      for (Index tap = 1; tap < windows_.taps; ++tap) {
        x += width;
        if (is_max_) {
          for (Index j = 0; j < width; ++j) y[j] = x[j] > y[j] || x[j] != x[j] ? x[j] : y[j];
        } else {
          for (Index j = 0; j < width; ++j) y[j] += x[j];
        }
      }
      if (is_max_) continue;
      const auto count = static_cast<Real>(std::min(block.known + i * windows_.stride, windows_.taps));
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
