#include "cornu/layers/merging/residual.h"

#include "cornu/core/error.h"

namespace cornu {

Residual::Residual(std::vector<AnyLayer> layers) {
  chain_.name = "Residual";
  for (AnyLayer& layer : layers) chain_.insert(std::move(layer));
}

Shape Residual::build(const Shape& input, Rng& rng) {
  detail::Chain chain = chain_;
  const Shape made = chain.build(input, rng);
  require(made == input,
          "Residual: its layers return samples of shape {} for samples of shape {}; the shapes must be equal, because "
          "the two are added",
          made, input);
  chain_ = std::move(chain);
  return input;
}

}  // namespace cornu
