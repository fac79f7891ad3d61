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
struct DeferredProduct;  // core/gradients.h

namespace detail {

/// What a tape knows of one value. Nodes stay where they are for the tape's whole life, one pass after another.
struct alignas(alignment) Node {
  Tape* tape = nullptr;
  Shape shape;
  const Real* value = nullptr;
  Real* gradient = nullptr;   // memory, once a sink was asked for
  bool has_gradient = false;  // a contribution has been made
  bool wants_gradient = false;
  Node* owner = nullptr;  // itself, or whose memory and gradient it shows in another shape
  const Parameter* parameter = nullptr;
  Node* logits = nullptr;  // what softmax or sigmoid made this of
  bool is_softmax = false;
  const char* squashed_by = nullptr;  // "softmax" or "sigmoid": which of them its values come from
  bool of_samples = false;            // its first axis counts the samples of the pass
  DeferredProduct* first_product = nullptr;
  DeferredProduct* last_product = nullptr;
  void (*rule)(const void*) = nullptr;
  const void* captured = nullptr;
};

}  // namespace detail

/// A backward rule: what it captures must need no destructor, because the arena that keeps it runs none.
template <class F>
concept BackwardRule =
    std::invocable<const F&> && std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>;

/// A value on a tape: what ops take and return. One word, passed by value, valid until its tape is cleared; using it
/// later throws StateError: the six spare bits of the pointer hold the number of the pass, so that of 64 later passes
/// one does not notice. The tape itself must still be there.
class Var {
 public:
  /// No value at all; every use throws StateError.
  Var() = default;

  Tape& tape() const { return *node().tape; }
  const Shape& shape() const { return node().shape; }
  Index rank() const { return node().shape.rank(); }
  Index size() const { return node().shape.size(); }
  ConstView value() const { return {node().value, node().shape}; }
  /// The number of a value that has just one. Throws ShapeError for any other size.
  Real item() const;

  /// For the op that makes this value: the memory to write it to.
  View out() const { return {const_cast<Real*>(node().value), node().shape}; }

  /// For the op that makes this value: how a gradient of it becomes gradients of the operands. Kept, and called by
  /// Tape::backward, only where a gradient is wanted. Returns this value.
  template <BackwardRule F>
  Var backward(const F& rule) const;

  /// In a rule: the gradient of the pass's loss with respect to this value.
  View grad() const { return {node().owner->gradient, node().shape}; }

  /// In a rule: where this operand's gradient goes, false if nobody wants it. Ask just before writing, and write all of
  /// it: the first answer is "overwrite", every later one "accumulate".
  Sink sink() const;
  /// In a rule: adds the product a b to this operand's gradient, if it is wanted. The same as gemm(a, b, sink()), but
  /// for a parameter it may be put off until the optimizer steps: a and b must not change before the tape is cleared.
  /// A factor that is a parameter's own memory is fine: such a product is computed at once.
  /// Throws ShapeError unless a and b fit each other and their product has the operand's size.
  void add_product(MatrixView a, MatrixView b) const;

  bool wants_gradient() const { return node().wants_gradient; }
  /// Whether the last walk backwards reached this value.
  bool has_gradient() const { return node().owner->has_gradient; }

  /// For an op in which the samples of this operand meet, but whose result has as many rows as there are samples, or
  /// may have: see Tape::mixes_samples.
  void mix_samples() const;
  /// For an op that works along an axis: its number, from 0. Along the first one samples meet. Throws ShapeError if
  /// there is no such axis.
  Index along(Index axis) const;

  /// For softmax and sigmoid: `this` was made of `logits`, so that a loss may be computed from these, stably.
  void made_from_logits(Var logits, bool by_softmax) const;
  /// The logits of which softmax (over the last axis) or sigmoid made this value; an empty Var if neither did.
  Var softmax_logits() const;
  Var sigmoid_logits() const;
  /// "softmax" or "sigmoid" if this value holds results of that function, perhaps reshaped, sliced, transposed or
  /// concatenated since; else null. For checks, not for formulas: see softmax_logits.
  const char* squashed_by() const { return node().owner->squashed_by; }
  /// For such ops: says that this value holds nothing but values of x.
  void squashed_as(Var x) const { node().squashed_by = x.squashed_by(); }
  /// The value that this one shows in another shape; itself if it is no reshaped one.
  Var unshaped() const { return on_same_tape(node().owner); }
  explicit operator bool() const { return bits_ != 0; }

 private:
  friend class Tape;
  Var(detail::Node* node, std::uintptr_t pass) : bits_(reinterpret_cast<std::uintptr_t>(node) | pass) {}
  detail::Node& node() const;
  Var on_same_tape(detail::Node* node) const;

  std::uintptr_t bits_ = 0;
};

}  // namespace cornu
