#pragma once

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// Scaled dot-product attention by several heads (Vaswani et al., 2017): for each head
///     softmax(q k^T / sqrt(key_dim)) v,  q = query Wq + bq, k = key Wk + bk, v = value Wv + bv,
/// and all heads' results together, times the output kernel, plus the output bias.
/// query: (batch, steps, features), value and key: (batch, other steps, their features). Returns (batch, steps,
/// features). `forward(x)` is attention of a sequence to itself. With `use_causal_mask` a step sees none that comes
/// after it: step i of the query none of the keys from i + 1 on, which get a weight of exactly 0.
/// Kernels of query and key: (features, num_heads, key_dim), of value: (features, num_heads, value_dim), of the output:
/// (num_heads, value_dim, features); their fans are what is summed over and what comes out, as in Keras since 2026:
/// features and num_heads x key_dim for the query. Biases as the kernels without the axis that is summed over. In
/// training, `dropout` of the weights are dropped. Throws ValueError for options below 1 and a rate out of [0, 1),
/// ShapeError for inputs that are not (batch, steps, features) or of other features than it was built for, StateError
/// if it was not built. Building again makes new parameters.
struct MultiHeadAttention {
  Index num_heads;
  Index key_dim;
  Index value_dim = 0;  ///< 0: as key_dim
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

  /// For a query of this shape, and value and key of the same features, or of those of another shape.
  Shape build(const Shape& input, Rng& rng) { return build(input, input, rng); }
  Shape build(const Shape& query_shape, const Shape& value_shape, Rng& rng) {
    return build(query_shape, value_shape, value_shape, rng);
  }
  Shape build(const Shape& query_shape, const Shape& value_shape, const Shape& key_shape, Rng& rng);

  Var forward(Var x) const { return forward(x, x, x); }
  Var forward(Var from, Var to) const { return forward(from, to, to); }
  Var forward(Var query_input, Var value_input, Var key_input) const;
  NamedParameters parameters();

  void options(auto& visit) {
    visit("num_heads", num_heads);
    visit("key_dim", key_dim);
    visit("value_dim", value_dim);
    visit("dropout", dropout);
    visit("use_bias", use_bias);
    visit("use_causal_mask", use_causal_mask);
    visit("kernel_initializer", kernel_initializer);
    visit("bias_initializer", bias_initializer);
    visit("kernel_regularizer", kernel_regularizer);
    visit("bias_regularizer", bias_regularizer);
    visit("activity_regularizer", activity_regularizer);
    visit("kernel_constraint", kernel_constraint);
    visit("bias_constraint", bias_constraint);
  }
};

}  // namespace cornu
