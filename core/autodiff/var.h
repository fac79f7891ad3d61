#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "cornu/core/matrix_view.h"
#include "cornu/core/parameter.h"
#include "cornu/core/sink.h"
#include "cornu/core/tensor.h"

namespace cornu {

class Tape;
namespace detail {
struct Recording;
}
struct DeferredProduct;  // core/autodiff/gradients.h

namespace detail {

/// A tape's entry for one value. Nodes keep their addresses for the lifetime of the tape and are reused by every pass.
struct alignas(alignment) Node {
  Tape* tape = nullptr;
  Shape shape;
  const Real* value = nullptr;
  Real* gradient = nullptr;   // allocated by the first sink()
  bool has_gradient = false;  // a rule has written to it
  bool wants_gradient = false;
  bool is_softmax = false;  // how it was computed from `logits`
  bool of_samples = false;  // its first axis is the batch axis of the pass, or has the same number of rows per sample
  bool has_lost_mask = false;  // an operand is masked, but this value is not
  int mask_reads = 0;          // of a mask: how often an op or layer has asked for it
  Node* owner = nullptr;       // the node whose memory and gradient this one shares: itself, unless it is an alias
  const Parameter* parameter = nullptr;
  Node* logits = nullptr;             // the operand, if this is the result of softmax or sigmoid
  Node* mask = nullptr;               // (batch, steps): which steps count
  const char* squashed_by = nullptr;  // "softmax" or "sigmoid" if its values are results of that function
  DeferredProduct* first_product = nullptr;
  DeferredProduct* last_product = nullptr;
  void (*rule)(const void*) = nullptr;
  const void* captured = nullptr;
};

}  // namespace detail

/// A backward rule. Its captures must be trivially destructible, because the arena runs no destructors.
template <class F>
concept BackwardRule =
    std::invocable<const F&> && std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>;

/// A value on a tape: the operand and result of ops. One word, passed by value. The tape must outlive the Var.
/// A Var is valid until its tape is cleared. Using it later throws StateError, except a multiple of 64 passes later:
/// the six spare bits of the pointer hold the pass number modulo 64.
class Var {
 public:
  /// An empty Var; every use throws StateError.
  Var() = default;

  Tape& tape() const { return *node().tape; }
  const Shape& shape() const { return node().shape; }
  Index rank() const { return node().shape.rank(); }
  Index size() const { return node().shape.size(); }
  ConstView value() const { return {node().value, node().shape}; }
  /// The value of a Var of one element. Throws ShapeError for another size.
  Real item() const;

  /// For the op that computes this value: the memory to write it to.
  View out() const { return {const_cast<Real*>(node().value), node().shape}; }

  /// For the op that computes this value: sets the rule that computes the operands' gradients from `grad()`. It is
  /// stored, and called by Tape::backward, only if a gradient is needed. Returns this value.
  template <BackwardRule F>
  Var backward(const F& rule) const;

  /// In a rule: the gradient of the loss with respect to this value.
  View grad() const { return {node().owner->gradient, node().shape}; }

  /// In a rule: the sink of this operand's gradient; false if it is not needed. Call it immediately before writing, and
  /// write every element: the first call returns "overwrite", later ones "accumulate".
  Sink sink() const;
  /// In a rule: adds the product a b to this operand's gradient, if it is needed. The same as gemm(a, b, sink()), but
  /// for a parameter it may become a deferred product: a and b must not change before the tape is cleared. A product
  /// that reads a parameter's memory is never deferred. Throws ShapeError if a and b do not match or their
  /// product has another size than the operand.
  void add_product(MatrixView a, MatrixView b) const;

  bool wants_gradient() const { return node().wants_gradient; }
  /// True if the last backward pass reached this value.
  bool has_gradient() const { return node().owner->has_gradient; }

  /// For an op that mixes the samples of this operand: sets Tape::mixes_samples. Not needed if the result has no batch
  /// axis, which the tape detects.
  void mix_samples() const;
  /// For an op that works along an axis: returns the axis, counted from 0, and calls mix_samples if it is the first.
  /// Throws ShapeError if there is no such axis.
  Index along(Index axis) const;

  /// For softmax and sigmoid: records that this value was computed from `logits`, so that losses can use the logits,
  /// which is numerically stable.
  void made_from_logits(Var logits, bool by_softmax) const;
  /// The logits, if this value is the result of softmax (over the last axis) or of sigmoid; else an empty Var.
  Var softmax_logits() const;
  Var sigmoid_logits() const;
  /// "softmax" or "sigmoid" if all elements are results of that function, possibly reshaped, sliced, transposed or
  /// concatenated; else null. For checks, not for formulas: see softmax_logits.
  const char* squashed_by() const { return node().owner->squashed_by; }
  /// For ops that only move elements: records that all elements of this value are elements of x.
  void squashed_as(Var x) const { node().squashed_by = x.squashed_by(); }
  /// The mask of a batch of sequences, (batch, steps, ...): 1 for a step that counts, 0 for padding, (batch, steps).
  /// Empty if all steps count. See core/ops/masks.h.
  Var mask() const;
  bool is_masked() const { return node().mask != nullptr; }
  /// For ops that move steps: the mask, without counting as having heeded it.
  Var carried_mask() const { return on_same_tape(node().mask); }
  /// How often `mask` has been called for values with this mask; 0 without one.
  int mask_reads() const { return node().mask == nullptr ? 0 : node().mask->mask_reads; }
  /// For ops that compute each step of this value from the same step of x: takes over its mask. Does nothing if the two
  /// do not have the same batch and steps. If this value has another mask, a step counts if it counts in either, as in
  /// Keras.
  void masked_as(Var x) const {
    if (x.node().mask != nullptr) [[unlikely]]
      take_mask(x.node().mask);
  }
  /// For ops: sets or, if it is empty, removes the mask. Throws ShapeError unless it has this value's first two axes.
  void set_mask(Var mask) const;
  bool is_same(Var other) const { return bits_ == other.bits_; }
  /// The value that this one is an alias of; this value if it is not an alias.
  Var unshaped() const { return on_same_tape(node().owner); }
  explicit operator bool() const { return bits_ != 0; }

 private:
  friend class Tape;
  friend struct detail::Recording;
  Var(detail::Node* node, std::uintptr_t pass) : bits_(reinterpret_cast<std::uintptr_t>(node) | pass) {}
  detail::Node& node() const;
  Var on_same_tape(detail::Node* node) const;
  void take_mask(detail::Node* mask) const;

  std::uintptr_t bits_ = 0;
};

}  // namespace cornu
