#include "cornu/layers/new_parameter.h"

#include <utility>
#include <vector>

namespace cornu::detail {

void create_parameters(std::initializer_list<NewParameter> parameters, Rng& rng) {
  std::vector<Tensor> values;
  for (const NewParameter& one : parameters) values.push_back(one.shape ? Tensor(*one.shape) : Tensor());
  auto value = values.begin();
  for (const NewParameter& one : parameters) {
    if (one.shape) one.initializer(*value, rng);
    ++value;
  }
  value = values.begin();
  for (const NewParameter& one : parameters) {
    one.parameter.become(std::move(*value), one.regularizer, one.constraint);
    ++value;
  }
}

}  // namespace cornu::detail
