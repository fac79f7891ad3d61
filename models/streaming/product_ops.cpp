#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/core/kernels/sequence_steps.h"
#include "cornu/models/streaming/packed_product.h"
#include "cornu/models/streaming/plan_builder.h"

/// Products with known matrices.
namespace cornu::detail {

namespace {

class Dense final : public StreamOp {
 public:
  Dense(PackedProduct product, const StreamValue& x, const StreamValue& y)
      : product_(std::move(product)), x_(x), y_(y), rows_(x.width / product_.depth()) {}
  void run(const StreamFrame& frame) const override {
    const Index rows = frame.rows[x_.rate] * rows_;
    product_.run({.left = x_.in(frame), .left_row = product_.depth(), .length = product_.depth()}, rows, y_.out(frame),
                 product_.columns(), true);
  }

 private:
  PackedProduct product_;
  StreamValue x_, y_;
  Index rows_;  // of the product in each row of x
};

/// x w + bias, if w is known and a matrix.
void add_dense(StreamBuilder& to) {
  const bool is_affine = to.op().name == "affine";
  const bool is_plain = is_affine || (!to.op().flag("transpose_a") && !to.op().flag("transpose_b"));
  if (!is_plain || !to.is_known(1) || to.is_known(0) || to.shape(1).rank() != 2) return make_tape_op(to);
  const StreamValue x = to.operand(0);
  ConstView bias;
  if (is_affine) bias = to.numbers(2);
  PackedProduct product(to.numbers(1), bias, false);
  to.add(std::make_unique<Dense>(std::move(product), x, to.result(x.rate)));
}

constexpr std::array<std::pair<std::string_view, StreamRow>, 2> product_rows{
    {{"affine", add_dense}, {"matmul", add_dense}}};

}  // namespace

StreamRows stream_product_rows() { return product_rows; }

PackedProduct::PackedProduct(ConstView matrix, ConstView bias, bool relu)
    : depth_(matrix.shape()[0]), columns_(matrix.shape()[1]), relu_(relu) {
  const Index most = tile_most_columns();
  for (Index first = 0; first < columns_; first += most) {
    const Index width = std::min(most, columns_ - first), step = tile_columns(width);
    Tensor numbers(Shape{depth_ + 1, step});  // the last row is the bias
    for (Index k = 0; k < depth_; ++k) {
      std::copy_n(matrix.data() + k * columns_ + first, width, numbers.data() + k * step);
    }
    if (bias.data() != nullptr) std::copy_n(bias.data() + first, width, numbers.data() + depth_ * step);
    panels_.push_back({std::move(numbers), first, width, step});
  }
  // What the last columns spill over the next row is overwritten by its first columns.
  std::reverse(panels_.begin(), panels_.end());
}

void PackedProduct::run(TileProduct product, Index rows, Real* out, Index out_row, bool spills) const {
  const bool is_row = rows == 1 && spills && !relu_ && product.parts == 1;
  product.rows = rows;
  product.out_row = out_row;
  product.relu = relu_;
  product.spill_end = spills ? out + rows * out_row + stream_slack : nullptr;
  for (const Panel& panel : panels_) {
    const Real *const numbers = panel.numbers.data(), *const bias = numbers + depth_ * panel.step;
    if (is_row) {
      row_product(product.left, depth_, numbers, panel.step, bias, panel.width, out + panel.first);
      continue;
    }
    product.right = numbers;
    product.right_step = panel.step;
    product.bias = bias;
    product.columns = panel.width;
    product.out = out + panel.first;
    if (rows > 0) multiply(product);
  }
}

}  // namespace cornu::detail
