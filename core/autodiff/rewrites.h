#pragma once

#include "cornu/core/autodiff/trace.h"

/// Rewrites of a trace. None changes what the trace computes, but for rounding errors where that is said. Each keeps
/// the order of the ops. Values that are no longer used stay in `values`.
namespace cornu {

/// Replaces every op that is composed of others, and whose name `keep` does not accept, by the ops it is composed of.
void expand_composites(
    Trace& trace, const std::function<bool(const Trace::Op&)>& keep = [](const Trace::Op&) { return false; });

/// Makes every result that depends on no input a constant. A parameter in another shape is still that parameter.
void fold_constants(Trace& trace);

/// Drops repeated ops: those with the name, operands, attributes and result shape of an earlier one. Composed ops stay.
void merge_equal_ops(Trace& trace);

/// Writes the transposes of matmul's options as ops, and successive transposes as one.
void merge_transposes(Trace& trace);

/// Drops ops whose results reach no output.
void remove_unused_ops(Trace& trace);

/// Makes `product + b` a product with the bias b, if b is known, (outputs), and nothing else reads the product: a
/// matmul, a conv2d without relu, or a depthwise_conv2d.
void fuse_bias(Trace& trace);

/// Replaces a batch_normalization after an affine, matmul, conv2d or depthwise_conv2d by other weights and another
/// bias, if all of them are known and nothing else reads the product: (x w + b - mean) f + offset is x (w f) + (b -
/// mean) f + offset, with f = scale / sqrt(variance + epsilon). Rounding differs. Call fold_constants first: a
/// normalization without scale or offset computes them.
void fold_batch_normalization(Trace& trace);

}  // namespace cornu
