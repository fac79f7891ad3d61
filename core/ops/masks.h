#pragma once

#include "cornu/core/compiler.h"

#include "cornu/core/autodiff/operand.h"

/// Masks of batches of sequences, (batch, steps, ...): sequences of different lengths in one batch are padded to the
/// same number of steps, and the mask, (batch, steps), is 1 for the steps that count and 0 for the padding.
/// A value carries its mask (Var::mask). Ops that compute each step of their result from the same step of their operand
/// pass it on: the pointwise ops, products with a matrix, reductions of features, dropout, and so on. Recurrent ops
/// keep their state at a masked step. Other ops drop the mask; a layer that calls one without asking for the mask
/// causes a warning. A loss that you call yourself counts all steps; fit and evaluate do not.
namespace cornu {

/// The mask of x: 0 for a step whose elements all equal `value`, else 1.
/// x: (batch, steps, ...). Returns (batch, steps), without a gradient. Throws ShapeError for an x of rank 1 or less.
Var step_mask(Var x, double value);

/// A mask of the first `lengths[i]` steps of each sequence, as PyTorch's packed sequences have.
/// lengths: (batch), whole numbers from 0 to `steps`. Returns (batch, steps), without a gradient.
/// Throws ShapeError for lengths of another rank, ValueError, naming the position, for an invalid length.
Var sequence_mask(Var lengths, Index steps);

/// x with this mask, or, if it is empty, without one. mask: (batch, steps), of zeros and ones. Shares the memory of x.
/// Throws ShapeError for a mask of another shape, ValueError for other elements of the mask and for elements of x that
/// are masked and not finite.
Var with_mask(Var x, Var mask);

}  // namespace cornu
