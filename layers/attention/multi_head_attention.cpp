#include "cornu/layers/attention/multi_head_attention.h"

#include <array>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/kernel_and_bias.h"
#include "cornu/layers/pytorch/pytorch_module.h"
#include "cornu/layers/regularization/dropout.h"

namespace cornu {

namespace {

using Projection = MultiHeadAttention::Projection;

/// x (batch, steps, in) times the kernel as a matrix: axes before `summed` are its rows, the others its columns.
Var project(Var x, const Projection& projection, Index summed, bool use_bias) {
  const Shape& shape = projection.kernel.shape();
  const Index in = shape.sub(0, summed).size(), out = shape.sub(summed).size();
  const Var kernel = reshape(x.tape().parameter(projection.kernel), {in, out});
  if (!use_bias) return matmul(x, kernel);
  return affine(x, kernel, reshape(x.tape().parameter(projection.bias), {out}));
}

/// Divides the features of x, (batch, steps, heads * size), among the heads: (batch, heads, steps, size).
Var heads_of(Var x, Index heads) {
  const Shape& shape = x.shape();
  return transpose(reshape(x, {shape[0], shape[1], heads, shape[2] / heads}), {0, 2, 1, 3});
}

/// Causal mask: adds -inf to scores (..., rows, columns) where column > row.
Var without_later_ones(Var scores) {
  const Index rows = scores.shape()[-2], columns = scores.shape()[-1];
  const View mask = scores.tape().scratch({rows, columns});
  for (Index i = 0; i < rows; ++i) {
    const Index seen = std::min(i + 1, columns);
    Real* const row = mask.data() + i * columns;
    std::fill_n(row, seen, Real{0});
    std::fill(row + seen, row + columns, -std::numeric_limits<Real>::infinity());
  }
  return scores + scores.tape().input(mask);
}

/// The keys that count in the given mask, in that of the value and in that of the key.
Var mask_of_keys(Var given, Var value_input, Var key_input) {
  const Var of_value = value_input.mask(), of_key = key_input.mask();
  Var result = !of_value ? of_key : !of_key || of_key.is_same(of_value) ? of_value : of_value * of_key;
  if (given) result = result ? result * given : given;
  return result;
}

/// What the queries see, with 0 for a masked query, as in Keras.
Var of_counted_queries(Var seen, Var query_input) {
  return query_input.is_masked() ? seen * reshape(query_input.mask(), {seen.shape()[0], seen.shape()[1], 1}) : seen;
}

/// A kernel whose last axes have `out` elements in all, as (out, in).
detail::Piece pytorch_kernel(Parameter& kernel, Index out) {
  const std::array<Index, 2> lengths{kernel.value.size() / out, out}, order{1, 0};
  return detail::Piece::permuted(kernel, lengths, order);
}

}  // namespace

Shape MultiHeadAttention::build(const Shape& query_shape, const Shape& value_shape, const Shape& key_shape, Rng& rng) {
  const char* const name = "MultiHeadAttention";
  detail::require_positive(name, "num_heads", num_heads);
  detail::require_positive(name, "key_dim", key_dim);
  const Index of_value = value_dim == 0 ? key_dim : value_dim;
  detail::require_positive(name, "value_dim", of_value);
  require<ValueError>(dropout >= 0 && dropout < 1,
                      "MultiHeadAttention: dropout is {}; at least 0 and less than 1 is required", dropout);
  detail::require_kernel_initializers(name, *this);
  for (const Shape& shape : {query_shape, value_shape, key_shape}) {
    require(shape.rank() == 2 && shape[1] > 0,
            "MultiHeadAttention: a sample of shape {}; (steps, features) is required", shape);
  }
  require(value_shape[0] == key_shape[0], "MultiHeadAttention: a value of {} steps and a key of {}; they must agree",
          value_shape[0], key_shape[0]);
  const auto made = [&](const Shape& kernel, Index summed) {
    Projection result{{Tensor(kernel)}, {}};
    // Plain functions such as glorot_uniform get a matrix (in, out), so that the fans are right; others get the
    // kernel's own shape, as in Keras.
    using Function = void (*)(View, Rng&);
    const bool is_function = kernel_initializer.target<Function>() != nullptr;
    const Index in = kernel.sub(0, summed).size();
    const Shape shown = is_function ? Shape{in, kernel.size() / in} : kernel;
    kernel_initializer(View(result.kernel.value.data(), shown), rng);
    if (use_bias) {
      result.bias.value = Tensor(kernel.sub(summed));
      bias_initializer(result.bias.value, rng);
    }
    return result;
  };
  // Use temporaries: if an initializer throws, the layer is unchanged.
  Projection for_query = made({query_shape[1], num_heads, key_dim}, 1),
             for_key = made({key_shape[1], num_heads, key_dim}, 1),
             for_value = made({value_shape[1], num_heads, of_value}, 1),
             for_output = made({num_heads, of_value, query_shape[1]}, 2);
  const auto give = [this](Projection& from, Projection& to) {
    to.kernel.become(std::move(from.kernel.value), kernel_regularizer, kernel_constraint);
    to.bias.become(std::move(from.bias.value), bias_regularizer, bias_constraint);
  };
  give(for_query, query);
  give(for_key, key);
  give(for_value, value);
  give(for_output, attention_output);
  return query_shape;
}

void MultiHeadAttention::require_inputs(Var query_input, Var value_input, Var key_input) const {
  detail::require_built("MultiHeadAttention", !query.kernel.value.empty());
  const auto require_features = [](const char* what, Var x, const Projection& projection) {
    require(x.rank() == 3 && x.shape()[1] > 0 && x.shape()[2] == projection.kernel.shape()[0],
            "MultiHeadAttention: a {} of shape {}; (batch, steps, {}) is required", what, x.shape(),
            projection.kernel.shape()[0]);
  };
  require_features("query", query_input, query);
  require_features("key", key_input, key);
  require_features("value", value_input, value);
  require(
      key_input.shape()[0] == query_input.shape()[0] && key_input.shape().sub(0, 2) == value_input.shape().sub(0, 2),
      "MultiHeadAttention: a query of shape {}, a value of shape {} and a key of shape {}; all batches, and the "
      "steps of value and key, must agree",
      query_input.shape(), value_input.shape(), key_input.shape());
}

Var MultiHeadAttention::weights_of(Var q, Var k, const AttentionMasks& masks) const {
  const Var scaled = heads_of(q, num_heads) * (1 / std::sqrt(static_cast<double>(key_dim)));
  Var scores = matmul(scaled, heads_of(k, num_heads), {.transpose_b = true});
  if (masks.scores) scores = scores + masks.scores;
  if (masks.keys) scores = scores + reshape((masks.keys - 1) * 1e9, {k.shape()[0], 1, 1, k.shape()[1]});
  return softmax(use_causal_mask ? without_later_ones(scores) : scores);
}

Var MultiHeadAttention::weighted(Var weights, Var v, Index steps) const {
  const Var seen = matmul(Dropout{dropout}.forward(weights), heads_of(v, num_heads));
  return reshape(transpose(seen, {0, 2, 1, 3}), {v.shape()[0], steps, v.shape()[2]});
}

Var MultiHeadAttention::forward(Var query_input, Var value_input, Var key_input) const {
  require_inputs(query_input, value_input, key_input);
  const Var q = project(query_input, query, 1, use_bias), k = project(key_input, key, 1, use_bias),
            v = project(value_input, value, 1, use_bias);
  const Var keys = mask_of_keys({}, value_input, key_input);
  const auto formula = [&] {
    return of_counted_queries(weighted(weights_of(q, k, {.keys = keys}), v, q.shape()[1]), query_input);
  };
  const auto composed = [&](const char* op, std::initializer_list<Operand> operands) {
    return composite(q.tape(), {op, {{"num_heads", num_heads}, {"use_causal_mask", use_causal_mask}}}, operands,
                     formula);
  };
  const bool to_itself = keys && query_input.is_masked() && query_input.mask().is_same(keys);
  const Var seen = to_itself                         ? composed("masked_attend", {q, k, v, keys})
                   : keys || query_input.is_masked() ? formula()
                                                     : composed("attend", {q, k, v});
  const Var y = project(seen, attention_output, 2, use_bias);
  y.masked_as(query_input);
  return activity_regularizer.add_loss(y);
}

MultiHeadAttention::Attended MultiHeadAttention::attend(Var query_input, Var value_input, Var key_input,
                                                        const AttentionMasks& masks) const {
  require_inputs(query_input, value_input, key_input);
  const Index batch = query_input.shape()[0], queries = query_input.shape()[1], keys = key_input.shape()[1];
  require(!masks.keys || masks.keys.shape() == Shape{batch, keys},
          "MultiHeadAttention: a mask of keys of shape {}; {} is required", masks.keys ? masks.keys.shape() : Shape{},
          Shape{batch, keys});
  const Shape whole{batch, num_heads, queries, keys};
  require(!masks.scores || broadcast(masks.scores.shape(), whole, "MultiHeadAttention: a mask of scores") == whole,
          "MultiHeadAttention: a mask of scores of shape {}; it must broadcast to {}",
          masks.scores ? masks.scores.shape() : Shape{}, whole);
  const Var q = project(query_input, query, 1, use_bias), k = project(key_input, key, 1, use_bias),
            v = project(value_input, value, 1, use_bias);
  const Var weights = weights_of(q, k, {mask_of_keys(masks.keys, value_input, key_input), masks.scores});
  const Var seen = of_counted_queries(weighted(weights, v, queries), query_input);
  const Var y = project(seen, attention_output, 2, use_bias);
  y.masked_as(query_input);
  return {activity_regularizer.add_loss(y), weights};
}

NamedParameters MultiHeadAttention::parameters() {
  NamedParameters result;
  const auto add = [&](const std::string& name, Projection& projection) {
    result.push_back({name + "/kernel", &projection.kernel});
    if (use_bias) result.push_back({name + "/bias", &projection.bias});
  };
  add("query", query);
  add("key", key);
  add("value", value);
  add("attention_output", attention_output);
  return result;
}

void MultiHeadAttention::pytorch(PyTorchModule& module) {
  const Index features = query.kernel.shape()[0], width = num_heads * key_dim, values = value.kernel.shape()[2];
  require<ValueError>(width == features && values == key_dim,
                      "{} heads of size {} (values: {}) for {} features; PyTorch's MultiheadAttention requires heads "
                      "times size to equal the number of features, also for values",
                      num_heads, key_dim, values, features);
  module.add(
      "in_proj_weight", {3 * width, features},
      {pytorch_kernel(query.kernel, width), pytorch_kernel(key.kernel, width), pytorch_kernel(value.kernel, width)});
  if (use_bias) module.add("in_proj_bias", {3 * width}, {{&query.bias}, {&key.bias}, {&value.bias}});
  module.add("out_proj.weight", {features, width}, {pytorch_kernel(attention_output.kernel, features)});
  if (use_bias) module.add("out_proj.bias", attention_output.bias);
}

}  // namespace cornu
