#include "cornu/layers/embedding.h"

#include "cornu/core/error.h"
#include "cornu/core/ops/masks.h"
#include "cornu/layers/build_checks.h"
#include "cornu/layers/new_parameter.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

Shape Embedding::build(const Shape& input, Rng& rng) {
  require<ValueError>(input_dim > 0 && output_dim > 0,
                      "Embedding: input_dim is {} and output_dim is {}; both must be positive", input_dim, output_dim);
  require<ValueError>(static_cast<bool>(embeddings_initializer),
                      "Embedding: the embeddings_initializer is empty; use random_uniform() if in doubt");
  const Shape result = input.inserted(input.rank(), output_dim);
  detail::create_parameters({{embeddings, Shape{input_dim, output_dim}, embeddings_initializer, embeddings_regularizer,
                              embeddings_constraint}},
                            rng);
  return result;
}

Var Embedding::forward(Var x) const {
  detail::require_built("Embedding", !embeddings.value.empty());
  const Var y = take(embeddings, x);
  if (mask_zero) {
    require(x.rank() >= 2, "Embedding: an input of shape {}; with mask_zero, (batch, steps) is required", x.shape());
    const Var mask = step_mask(x, 0);
    y.set_mask(x.is_masked() ? mask * x.mask() : mask);
  }
  return activity_regularizer.add_loss(y);
}

void Embedding::pytorch(PyTorchModule& module) { module.add("weight", embeddings); }

}  // namespace cornu
