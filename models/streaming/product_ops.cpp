#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/models/streaming/packed_product.h"
#include "cornu/models/streaming/plan_builder.h"

/// Products with known matrices.
namespace cornu::detail {

namespace {

class Dense final : public StreamOp {
 public:
  Dense(PackedProduct product, const StreamValue& x, const StreamValue& y)
      : product_(std::move(product)), x_(x), y_(y) {}
  void run(const StreamFrame& frame) const override {
    const Index rows = frame.rows[x_.rate] * (x_.width / product_.depth());
    product_.run({.left = x_.in(frame), .left_row = product_.depth(), .length = product_.depth()}, rows, y_.out(frame),
                 product_.columns());
  }

 private:
  PackedProduct product_;
  StreamValue x_, y_;
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

constexpr std::array<std::pair<std::string_view, StreamRow>, 2> product_rows{{{"affine", add_dense}, {"matmul", add_dense}}};

}  // namespace

StreamRows stream_product_rows() { return product_rows; }

PackedProduct::PackedProduct(ConstView matrix, ConstView bias, bool relu)
    : depth_(matrix.shape()[0]), columns_(matrix.shape()[1]), relu_(relu) {
  const Index most = tile_most_columns();
  for (Index first = 0; first < columns_; first += most) {
    const Index width = std::min(most, columns_ - first), step = tile_columns(width);
    Tensor panel(Shape{depth_ + 1, step});  // the last row is the bias
    for (Index k = 0; k < depth_; ++k) {
      std::copy_n(matrix.data() + k * columns_ + first, width, panel.data() + k * step);
    }
    if (bias.data() != nullptr) std::copy_n(bias.data() + first, width, panel.data() + depth_ * step);
    panels_.push_back(std::move(panel));
  }
}

void PackedProduct::run(TileProduct product, Index rows, Real* out, Index out_row) const {
  if (rows == 0) return;
  product.rows = rows;
  product.out_row = out_row;
  product.relu = relu_;
  Index first = 0;
  for (const Tensor& panel : panels_) {
    product.right = panel.data();
    product.right_step = panel.shape()[1];
    product.bias = panel.data() + depth_ * panel.shape()[1];
    product.columns = std::min(columns_ - first, tile_most_columns());
    product.out = out + first;
    multiply(product);
    first += product.columns;
  }
}

}  // namespace cornu::detail
