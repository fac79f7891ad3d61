#pragma once

#include "cornu/layers/initializers.h"
#include "cornu/layers/kernel_options.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// What a call of MultiHeadAttention leaves out. Both may be left empty.
struct AttentionMasks {
  /// (batch, keys): 1 for a key that counts, 0 for padding, whose scores are lowered by 1e9. Joined with the masks
  /// of value and key (Var::mask).
  Var keys{};
  /// Added to the scores before the softmax; broadcasts to (batch, heads, queries, keys). -inf leaves a key out. A
  /// query with all its keys left out by -inf gets NaN.
  Var scores{};
};

/// Multi-head scaled dot-product attention (Vaswani et al., 2017). Each head computes
///     softmax(q k^T / sqrt(key_dim)) v,  q = query Wq + bq, k = key Wk + bk, v = value Wv + bv;
/// the heads' results are concatenated, multiplied by the output kernel, and the output bias is added.
/// query: (batch, steps, features). value and key: (batch, other steps, their features). Returns (batch, steps,
/// features). `forward(x)` is self-attention.
/// With `use_causal_mask`, step i of the query attends to keys 0 to i only; later keys get a weight of exactly 0.
/// Kernels of query and key: (features, num_heads, key_dim); of value: (features, num_heads, value_dim); of the output:
/// (num_heads, value_dim, features). A bias has the axes of its kernel that are not summed over. Fan-in is the size of
/// the axes summed over, fan-out that of the others, as in Keras since 2026: features and num_heads x key_dim for the
/// query.
/// In training, attention weights are dropped with probability `dropout`.
/// Throws ValueError for sizes below 1 and a rate outside [0, 1), ShapeError for inputs that are not (batch, steps,
/// features) or have other features than at build, StateError if the layer is not built. Building again creates new
/// parameters.
struct MultiHeadAttention {
  Index num_heads;
  Index key_dim;
  Index value_dim = 0;  ///< 0: key_dim
  double dropout = 0;
  bool use_bias = true;
  bool use_causal_mask = false;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
  Regularizer kernel_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint kernel_constraint{}, bias_constraint{};
  /// A kernel, and a bias unless `use_bias` is false.
  struct Projection {
    Parameter kernel{}, bias{};
  };
  Projection query{}, key{}, value{}, attention_output{};

  /// With one shape, query, value and key share it. With two, the second is that of value and key.
  Shape build(const Shape& input, Rng& rng) { return build(input, input, rng); }
  Shape build(const Shape& query_shape, const Shape& value_shape, Rng& rng) {
    return build(query_shape, value_shape, value_shape, rng);
  }
  Shape build(const Shape& query_shape, const Shape& value_shape, const Shape& key_shape, Rng& rng);

  Var forward(Var x) const { return forward(x, x, x); }
  Var forward(Var from, Var to) const { return forward(from, to, to); }
  Var forward(Var query_input, Var value_input, Var key_input) const;

  /// The output, and the weights of each head after the softmax, before dropout: (batch, heads, queries, keys).
  struct Attended {
    Var y, weights;
  };
  /// The same with masks, in addition to `use_causal_mask`; also returns the weights. Throws ShapeError for masks of
  /// other shapes.
  Attended attend(Var query_input, Var value_input, Var key_input, const AttentionMasks& masks = {}) const;
  NamedParameters parameters();
  void pytorch(PyTorchModule& module);

  void options(auto& visit) {
    visit("num_heads", num_heads);
    visit("key_dim", key_dim);
    visit("value_dim", value_dim);
    visit("dropout", dropout);
    visit("use_bias", use_bias);
    visit("use_causal_mask", use_causal_mask);
    detail::visit_kernel_options(*this, visit);
  }

 private:
  void require_inputs(Var query_input, Var value_input, Var key_input) const;
  Var weights_of(Var q, Var k, const AttentionMasks& masks) const;
  Var weighted(Var weights, Var v, Index steps) const;
};

}  // namespace cornu
