#include <array>

#include "cornu/core/error.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/models/saving/weight_names.h"

// The tensors of each layer in the state_dict of the equivalent PyTorch module (torch/nn/modules: the documentation of
// each module's variables). Each layer has a function, and a line in the table below.

namespace cornu::detail {

namespace {

using Axes = std::vector<Piece::Axis>;

/// The tensors of one module.
struct Module {
  const ImageOrders::OfLayer& order;
  std::vector<StoredTensor> tensors{};

  void add(const char* name, const Shape& shape, std::vector<Piece> pieces) {
    tensors.push_back({name, shape, std::move(pieces)});
  }
  /// A parameter with its axes in this order.
  void add(const char* name, Parameter& parameter, std::initializer_list<Index> axes) {
    const Shape& from = parameter.shape();
    std::vector<Index> lengths;
    for (const Index axis : axes) lengths.push_back(from[axis]);
    add(name, Shape(lengths), {Piece::permuted(parameter, from.dimensions(), {axes.begin(), axes.size()})});
  }
  void add(const char* name, Parameter& parameter) { add(name, parameter.shape(), {{&parameter}}); }
  /// A parameter with one element per feature, in PyTorch's order of the features.
  void add_features(const char* name, Parameter& parameter, const ImageOrder& image) {
    add(name, parameter.shape(), {{&parameter, 0, features(image, parameter.value.size(), 1)}});
  }
  void add_special(const char* name, const Shape& shape, StoredTensor::Use use, Real constant = 0) {
    tensors.push_back({name, shape, {}, use, constant});
  }

  /// The axes of n features with this stride, in PyTorch's order.
  static Axes features(const ImageOrder& image, Index n, Index stride) {
    if (!image) return {{n, stride}};
    const Index channels = (*image)[-1];
    Axes result{{channels, stride}};
    for (Index axis = 0; axis + 1 < image->rank(); ++axis) {
      result.push_back({(*image)[axis], image->sub(axis + 1).size() * stride});
    }
    return result;
  }
};

Axes operator+(Axes a, const Axes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void describe(Module& to, Dense& layer) {
  const Index in = layer.kernel.shape()[0], out = layer.units;
  to.add("weight", {out, in},
         {{&layer.kernel, 0, Module::features(to.order.out, out, 1) + Module::features(to.order.in, in, out)}});
  if (layer.use_bias) to.add_features("bias", layer.bias, to.order.out);
}

void describe(Module& to, Conv2D& layer) {
  to.add("weight", layer.kernel, {3, 2, 0, 1});
  if (layer.use_bias) to.add("bias", layer.bias);
}

void describe(Module& to, Conv1D& layer) {
  to.add("weight", layer.kernel, {2, 1, 0});
  if (layer.use_bias) to.add("bias", layer.bias);
}

/// A Conv2d with as many groups as channels.
void describe(Module& to, DepthwiseConv2D& layer) {
  to.add("weight", layer.kernel, {2, 3, 0, 1});
  const Shape& shape = layer.kernel.shape();
  to.tensors.back().shape = {shape[2] * shape[3], 1, shape[0], shape[1]};
  if (layer.use_bias) to.add("bias", layer.bias);
}

void describe(Module& to, Embedding& layer) { to.add("weight", layer.embeddings); }

/// Scale and shift. PyTorch's modules have both or neither, so a missing one is stored as a constant.
void add_affine(Module& to, Parameter* scale, Parameter* shift, Index n) {
  if (scale == nullptr && shift == nullptr) return;
  const auto add = [&](const char* name, Parameter* parameter, Real constant) {
    if (parameter != nullptr)
      to.add_features(name, *parameter, to.order.in);
    else
      to.add_special(name, {n}, StoredTensor::Use::constant, constant);
  };
  add("weight", scale, 1);
  add("bias", shift, 0);
}

void describe(Module& to, BatchNormalization& layer) {
  add_affine(to, layer.scale ? &layer.gamma : nullptr, layer.center ? &layer.beta : nullptr,
             layer.moving_mean.value.size());
  to.add_features("running_mean", layer.moving_mean, to.order.in);
  to.add_features("running_var", layer.moving_variance, to.order.in);
  to.add_special("num_batches_tracked", {}, StoredTensor::Use::ignored);
}

void describe(Module& to, LayerNormalization& layer) {
  Parameter* const scale = layer.scale ? &layer.gamma : nullptr;
  Parameter* const shift = layer.center ? &layer.beta : nullptr;
  const Parameter* const one = scale != nullptr ? scale : shift;
  if (one == nullptr) return;
  if (one->shape().rank() == 1) return add_affine(to, scale, shift, one->value.size());
  require<ValueError>(scale != nullptr && shift != nullptr,
                      "PyTorch's LayerNorm over several axes has both a weight and a bias; scale and center are {} and "
                      "{}",
                      layer.scale, layer.center);
  if (one->shape().rank() == 3) {  // of an image; channels first in PyTorch
    to.add("weight", layer.gamma, {2, 0, 1});
    to.add("bias", layer.beta, {2, 0, 1});
  } else {
    to.add("weight", layer.gamma);
    to.add("bias", layer.beta);
  }
}

/// Splits a (rows, blocks * units) kernel into blocks of `units` columns, transposes them and stacks them in this
/// order: (blocks * units, rows).
void add_gates(Module& to, const char* name, Parameter& kernel, Index units, std::initializer_list<Index> order) {
  const Index rows = kernel.shape()[0], columns = kernel.shape()[1];
  std::vector<Piece> pieces;
  for (const Index gate : order) pieces.push_back({&kernel, gate * units, {{units, 1}, {rows, columns}}});
  to.add(name, {columns, rows}, std::move(pieces));
}

void describe(Module& to, LSTM& layer) {
  to.add("weight_ih_l0", layer.kernel, {1, 0});  // PyTorch's order of the gates is the same
  to.add("weight_hh_l0", layer.recurrent_kernel, {1, 0});
  if (!layer.use_bias) return;
  to.add("bias_ih_l0", layer.bias);
  to.add("bias_hh_l0", layer.bias);
  to.tensors.back().use = StoredTensor::Use::added;
}

void describe(Module& to, GRU& layer) {
  require<ValueError>(layer.reset_after,
                      "reset_after is false; PyTorch's GRU resets after the product with the recurrent kernel");
  const auto order = {Index{1}, Index{0}, Index{2}};  // r, z, n
  const Index units = layer.units;
  add_gates(to, "weight_ih_l0", layer.kernel, units, order);
  add_gates(to, "weight_hh_l0", layer.recurrent_kernel, units, order);
  if (!layer.use_bias) return;
  for (const Index row : {0, 1}) {
    std::vector<Piece> pieces;
    for (const Index gate : order) pieces.push_back({&layer.bias, (3 * row + gate) * units, {{units, 1}}});
    to.add(row == 0 ? "bias_ih_l0" : "bias_hh_l0", {3 * units}, std::move(pieces));
  }
}

/// A kernel whose last axes have `out` elements in all, as (out, in).
Piece transposed(Parameter& kernel, Index out) {
  const std::array<Index, 2> lengths{kernel.value.size() / out, out}, order{1, 0};
  return Piece::permuted(kernel, lengths, order);
}

void describe(Module& to, MultiHeadAttention& layer) {
  const Index features = layer.query.kernel.shape()[0], width = layer.num_heads * layer.key_dim,
              value_dim = layer.value.kernel.shape()[2];
  require<ValueError>(width == features && value_dim == layer.key_dim,
                      "{} heads of size {} (values: {}) for {} features; PyTorch's MultiheadAttention requires heads "
                      "times size to be the number of features, for values too",
                      layer.num_heads, layer.key_dim, value_dim, features);
  to.add("in_proj_weight", {3 * width, features},
         {transposed(layer.query.kernel, width), transposed(layer.key.kernel, width),
          transposed(layer.value.kernel, width)});
  if (layer.use_bias)
    to.add("in_proj_bias", {3 * width}, {{&layer.query.bias}, {&layer.key.bias}, {&layer.value.bias}});
  to.add("out_proj.weight", {features, width}, {transposed(layer.attention_output.kernel, features)});
  if (layer.use_bias) to.add("out_proj.bias", layer.attention_output.bias);
}

/// PyTorch has no such module; the layer has one element per feature.
void describe(Module& to, Normalization& layer) {
  to.add_features("mean", layer.mean, to.order.in);
  to.add_features("variance", layer.variance, to.order.in);
}

template <class L>
bool describe_if(Module& to, AnyLayer& layer) {
  L* const own = layer.as<L>();
  if (own != nullptr) describe(to, *own);
  return own != nullptr;
}

constexpr std::array<bool (*)(Module&, AnyLayer&), 11> modules{
    describe_if<Dense>,        describe_if<Conv2D>,
    describe_if<Conv1D>,       describe_if<DepthwiseConv2D>,
    describe_if<Embedding>,    describe_if<BatchNormalization>,
    describe_if<LSTM>,         describe_if<LayerNormalization>,
    describe_if<GRU>,          describe_if<MultiHeadAttention>,
    describe_if<Normalization>};

template <class... L>
bool is_activated(const AnyLayer& layer) {
  return ((layer.as<L>() != nullptr && !layer.as<L>()->activation.is(linear)) || ...);
}

}  // namespace

Index pytorch_modules(const AnyLayer& layer) {
  const auto* pooling = layer.as<GlobalAveragePooling2D>();
  const bool flattens = pooling != nullptr && !pooling->keepdims;  // AdaptiveAvgPool2d and Flatten
  return flattens || is_activated<Dense, Conv1D, Conv2D, DepthwiseConv2D>(layer) ? 2 : 1;
}

std::vector<StoredTensor> pytorch_tensors(const StoredLayer& layer, const ImageOrders::OfLayer& order) {
  Module module{order};
  for (const auto described : modules) {
    if (described(module, *layer.layer)) return std::move(module.tensors);
  }
  require<ValueError>(!order.in && !order.out,
                      "its input or output is the image {}, channels first in PyTorch; the order is not known for {}",
                      order.in ? *order.in : order.out.value_or(Shape()), with_article(layer.layer->type()));
  for (StoredTensor& tensor : as_they_are(layer.parameters)) {
    for (char& c : tensor.name) c = c == '/' ? '.' : c;
    module.tensors.push_back(std::move(tensor));
  }
  return std::move(module.tensors);
}

}  // namespace cornu::detail
