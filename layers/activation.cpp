#include "cornu/layers/activation.h"

#include "cornu/core/error.h"

namespace cornu {

Activation::Activation(Function f) : function_(f) {
  require<ValueError>(f != nullptr, "Activation: the function is null; use linear for no activation");
}

Shape Softmax::build(const Shape& input, Rng&) {
  const Index rank = input.rank() + 1;
  require(-rank <= axis && axis < rank, "Softmax: axis is {}, but a batch of samples of shape {} has {} axes", axis,
          input, rank);
  require(axis != 0 && axis != -rank,
          "Softmax: axis is {}, the batch axis, for samples of shape {}; use an axis of the sample", axis, input);
  return input;
}

}  // namespace cornu
