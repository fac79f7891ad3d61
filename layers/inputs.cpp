#include "cornu/layers/inputs.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/layers/input.h"

namespace cornu {

Inputs::Inputs(std::vector<Shape> samples) : shapes(std::move(samples)) { static_cast<void>(packed()); }

Shape Inputs::packed() const {
  require<ValueError>(!shapes.empty() && shapes.size() <= detail::most_inputs, "Inputs: {} inputs; 1 to {} are allowed",
                      shapes.size(), detail::most_inputs);
  Index size = 0;
  for (const Shape& shape : shapes) size += shape.size();
  return {size};
}

Shape Inputs::build(const Shape& input, Rng& rng) { return Input(packed()).build(input, rng); }

Var Inputs::forward(Var x) const { return Input(packed()).forward(x); }

Tensor pack(std::initializer_list<ConstView> inputs) {
  require<ValueError>(inputs.size() > 0, "pack: no tensors");
  Index width = 0;
  for (const ConstView& input : inputs) {
    require(input.shape().rank() > 0 && input.shape()[0] == inputs.begin()->shape()[0],
            "pack: tensors {} and {}; their first axes count the samples and must agree", inputs.begin()->shape(),
            input.shape());
    width += input.shape().sub(1).size();
  }
  const Index samples = inputs.begin()->shape()[0];
  Tensor result({samples, width});
  Real* to = result.data();
  for (Index sample = 0; sample < samples; ++sample) {
    for (const ConstView& input : inputs) {
      const Index own = input.shape().sub(1).size();
      to = std::copy_n(input.data() + sample * own, own, to);
    }
  }
  return result;
}

}  // namespace cornu
