#include "cornu/layers/embedding.h"

#include "cornu/core/error.h"

namespace cornu {

Shape Embedding::build(const Shape& input, Rng& rng) {
  require<ValueError>(input_dim > 0 && output_dim > 0,
                      "Embedding: input_dim is {} and output_dim is {}; both must be positive", input_dim, output_dim);
  require<ValueError>(static_cast<bool>(embeddings_initializer),
                      "Embedding: the embeddings_initializer is empty; use random_uniform() if in doubt");
  const Shape result = input.inserted(input.rank(), output_dim);
  Tensor table({input_dim, output_dim});  // a temporary: if the initializer throws, the layer is unchanged
  embeddings_initializer(table, rng);
  embeddings.become(std::move(table), embeddings_regularizer, embeddings_constraint);
  return result;
}

Var Embedding::forward(Var x) const {
  require<StateError>(
      !embeddings.value.empty(),
      "Embedding: used before it was built; call build(shape of a sample, rng), or put it into a model");
  return activity_regularizer.add_loss(take(embeddings, x));
}

}  // namespace cornu
