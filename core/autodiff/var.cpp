#include "cornu/core/autodiff/var.h"

#include <algorithm>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"

namespace cornu {

using detail::Node;

Node& Var::node() const {
  auto* node = reinterpret_cast<Node*>(bits_ & ~Tape::pass_mask);
  if (node == nullptr) [[unlikely]]
    throw StateError("an empty Var was used: it was never given a value");
  if (node->tape->pass_ != (bits_ & Tape::pass_mask)) [[unlikely]] {
    throw StateError("a Var was used after its tape was cleared: values live for one pass");
  }
  return *node;
}

Var Var::on_same_tape(Node* node) const { return node == nullptr ? Var() : Var(node, bits_ & Tape::pass_mask); }

Real Var::item() const {
  require(size() == 1, "Var::item: a value of shape {} has {} elements, one is required", shape(), size());
  return node().value[0];
}

Sink Var::sink() const {
  Node& self = node();
  if (!self.wants_gradient) return {};
  Node& owner = *self.owner;
  if (owner.gradient == nullptr) owner.gradient = self.tape->scratch(owner.shape).data();
  const bool accumulates = owner.has_gradient;
  owner.has_gradient = true;
  return {View(owner.gradient, self.shape), accumulates};
}

void Var::add_product(MatrixView a, MatrixView b) const {
  Node& self = node();
  if (!self.wants_gradient) return;
  require(a.inner() == b.outer() && a.outer() * b.inner() == self.shape.size(),
          "add_product: ({}, {}) times ({}, {}) for a gradient of shape {}", a.outer(), a.inner(), b.outer(), b.inner(),
          self.shape);
  Tape& tape = *self.tape;
  // The threads of a step split a parameter by rows, so a deferred product must have the same rows.
  const bool has_rows = self.shape.rank() > 0 && a.outer() == self.shape[0];
  if (self.parameter == nullptr || !tape.defers_products_ || !has_rows || tape.may_change(a) || tape.may_change(b)) {
    gemm(a, b, sink());
    return;
  }
  auto* const product = new (self.tape->allocate(sizeof(DeferredProduct))) DeferredProduct{a, b};
  if (self.first_product == nullptr) {
    self.first_product = product;
  } else {
    self.last_product->next = product;
  }
  self.last_product = product;
}

void Var::mix_samples() const {
  if (node().of_samples) node().tape->mixes_samples_ = true;
}

Index Var::along(Index axis) const {
  const Index result = shape().normalized(axis);
  if (result == 0) mix_samples();
  return result;
}

void Var::made_from_logits(Var logits, bool by_softmax) const {
  Node& self = node();
  self.logits = &logits.node();
  self.is_softmax = by_softmax;
  self.squashed_by = by_softmax ? "softmax" : "sigmoid";
}

Var Var::mask() const {
  Node* const mask = node().mask;
  if (mask != nullptr) ++mask->mask_reads;
  return on_same_tape(mask);
}

void Var::set_mask(Var mask) const {
  require(!mask || (rank() >= 2 && mask.shape() == shape().sub(0, 2)),
          "a mask of shape {} for a value of shape {}; (batch, steps) is required", mask ? mask.shape() : Shape(),
          shape());
  node().mask = mask ? &mask.node() : nullptr;
  node().has_lost_mask = false;
}

void Var::take_mask(Node* mask) const {
  Node& self = node();
  const bool has_steps = self.shape.rank() >= 2 && self.shape[0] == mask->shape[0] && self.shape[1] == mask->shape[1];
  if (!has_steps || self.mask == mask) return;
  if (self.mask == nullptr) {
    self.mask = mask;
    self.has_lost_mask = false;
    return;
  }
  const Var both = on_same_tape(self.mask), other = on_same_tape(mask);
  const Var together = self.tape->output(mask->shape, {both, other}, "maximum");
  std::transform(both.value().begin(), both.value().end(), other.value().begin(), together.out().begin(),
                 [](Real a, Real b) { return std::max(a, b); });
  self.mask = &together.node();
}

Var Var::softmax_logits() const { return node().is_softmax ? on_same_tape(node().logits) : Var(); }

Var Var::sigmoid_logits() const { return node().is_softmax ? Var() : on_same_tape(node().logits); }

}  // namespace cornu
