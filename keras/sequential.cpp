#include "cornu/keras/sequential.h"

#include "cornu/core/options/options.h"
#include "cornu/keras/functional.h"
#include "cornu/keras/layer_reader.h"
#include "cornu/keras/objects.h"
#include "cornu/layers/input.h"
#include "cornu/layers/inputs.h"

namespace cornu::keras::detail {

namespace {

struct Layers {
  std::optional<Shape> input{};  ///< of samples
  std::vector<AnyLayer> layers{};
};

/// Empty if Cornu lacks a layer.
std::optional<Layers> layers_of(const Json& json, Lacks& lacks) {
  const Json& config = json.at("config");
  // Before Keras 2.2 the config was the list of layers itself.
  const Json& list = config.as<Json::Array>() != nullptr ? config : config.at("layers");
  Layers result;
  bool well = true;
  for (const Json& own : cornu::detail::list_of(list)) {
    const bool is_first = !result.input && result.layers.empty();
    if (is_first) result.input = input_shape(own);
    if (text_in(own, "class_name") == "InputLayer") {
      check_dtype(own, lacks);
    } else if (auto layer = read_layer(own, lacks)) {
      result.layers.push_back(*std::move(layer));
    } else {
      well = false;
    }
  }
  if (!result.input) result.input = sample_shape(in(config, "build_input_shape"));
  if (!result.input) result.input = sample_shape(in(in(json, "build_config"), "input_shape"));
  if (!well) return std::nullopt;
  return result;
}

/// A model of these layers, for inputs of this shape, in which 0 is any length.
Sequential model_of(const std::string& name, AnyLayer input, std::vector<AnyLayer> layers) {
  Sequential model({std::move(input)}, {.name = name.empty() ? "sequential" : name});
  for (AnyLayer& layer : layers) model.add(std::move(layer));
  return model;
}

}  // namespace

std::optional<AnyLayer> read_sequential(const Json& json, Lacks& lacks) {
  std::optional<Layers> read = layers_of(json, lacks);
  if (!read) return std::nullopt;
  Sequential model;
  for (AnyLayer& layer : read->layers) model.add(std::move(layer));
  return AnyLayer(std::move(model));
}

Sequential read_model(const Json& json, Lacks& lacks) {
  const std::string type = text_in(json, "class_name"), name = layer_name(json);
  if (type == "Sequential") {
    std::optional<Layers> read = layers_of(json, lacks);
    lacks.require_none();
    require<FormatError>(read->input.has_value(),
                         "the model has no shape of inputs; in Python, call it once, or begin it with keras.Input, "
                         "before it is saved");
    return model_of(name, Input(*read->input), std::move(read->layers));
  }
  require<FormatError>(type == "Functional" || (type == "Model" && in(json, "config").find("layers") != nullptr),
                       "a model of the class {}; Sequential and functional models are read. For a subclassed model, "
                       "write its struct in C++ and read its weights by keras::load_weights",
                       type.empty() ? "?" : type);
  std::optional<Functional> model = read_functional(json, lacks);
  lacks.require_none();
  std::vector<Shape> shapes;
  for (const std::optional<Shape>& shape : model->inputs) {
    require<FormatError>(shape.has_value(), "an InputLayer without a shape");
    shapes.push_back(*shape);
  }
  if (model->is_chain()) return model_of(name, Input(shapes[0]), std::move(model->layers));
  AnyLayer input = shapes.size() == 1 ? AnyLayer(Input(shapes[0])) : AnyLayer(Inputs(shapes));
  return model_of(name, std::move(input), {{"graph", std::move(*model).graph()}});
}

}  // namespace cornu::keras::detail
