#include "cornu/layers/layer.h"

#include <cctype>

namespace cornu {

namespace detail {

Shape shape_by_forward(const Shape& input, Var (*forward)(const void* layer, Var x), const void* layer) {
  const Tensor sample(input.batched(1));
  Tape tape(Mode::inference);
  const Var y = forward(layer, tape.input(sample));
  require(y.rank() > 0 && y.shape()[0] == 1,
          "forward made {} of a batch of one sample of shape {}; the first axis must stay the batch", y.shape(), input);
  return y.shape().sub(1);
}

}  // namespace detail

void AnyLayer::add_name(Error& error) const {
  if (!name_.empty()) return error.add_context(name_);
  const std::string_view type = box_->type(), text = error.what();
  if (!text.starts_with(type) || text.substr(type.size(), 1) != ":") error.add_context(type);
}

Shape AnyLayer::build(const Shape& input, Rng& rng) {
  Box& layer = *box_;
  try {
    return layer.build(input, rng);
  } catch (Error& error) {
    add_name(error);
    throw;
  }
}

Var AnyLayer::forward(Var x) const {
  const Box& layer = *box_;
  try {
    return layer.forward(x);
  } catch (Error& error) {
    add_name(error);
    throw;
  }
}

std::vector<std::pair<std::string, const Parameter*>> AnyLayer::parameters() const {
  std::vector<std::pair<std::string, const Parameter*>> result;
  for (const NamedParameter& named : box_->parameters()) result.emplace_back(named.name, named.parameter);
  return result;
}

std::string snake_case(std::string_view type) {
  // Keras's two rules: a break before a capital that begins a word of small letters, and between a small letter and a
  // capital.
  std::string result;
  const auto upper = [&](std::size_t i) {
    return i < type.size() && std::isupper(static_cast<unsigned char>(type[i]));
  };
  const auto lower = [&](std::size_t i) {
    return i < type.size() && std::islower(static_cast<unsigned char>(type[i]));
  };
  for (std::size_t i = 0; i < type.size(); ++i) {
    if (i > 0 && upper(i) && (lower(i - 1) || lower(i + 1)) && result.back() != '_') result += '_';
    result += static_cast<char>(std::tolower(static_cast<unsigned char>(type[i])));
  }
  return result;
}

}  // namespace cornu
