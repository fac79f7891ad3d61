#include "cornu/onnx/broadcast.h"

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu::onnx::detail {

std::span<Index> broadcast_positions(Tape& tape, const Shape& from, const Shape& shape) {
  const std::span<Index> result = tape_memory<Index>(tape, static_cast<std::size_t>(shape.size()));
  Broadcast(from, shape, shape).each([&](Index i, Index position, Index) {
    result[static_cast<std::size_t>(i)] = position;
  });
  return result;
}

Var expand(Var x, const Shape& shape) { return broadcast_to(x, broadcast(x.shape(), shape, "expand")); }

}  // namespace cornu::onnx::detail
