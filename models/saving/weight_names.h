#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/formats/safetensors.h"
#include "cornu/layers/layer.h"
#include "cornu/models/saving/saving.h"

/// Matches the tensors of a file with a model's parameters, with the names and layouts of Cornu, Keras and PyTorch.
/// Internal to models/*.cpp.
namespace cornu::detail {

struct SequentialState;

/// Elements of a parameter in the order in which a file stores them.
struct Piece {
  struct Axis {
    Index length, stride;
  };
  Parameter* parameter;
  Index begin = 0;
  std::vector<Axis> axes{};  ///< the last one is contiguous in the file; empty: all elements in memory order

  /// Calls f(index of the element in the parameter), in the file's order.
  template <class F>
  void for_each(F f) const {
    if (axes.empty()) {
      for (Index i = 0; i < parameter->value.size(); ++i) f(i);
    } else {
      go_through(axes, begin, f);
    }
  }

  /// All elements of a parameter of shape `lengths`, with its axes in this order.
  static Piece permuted(Parameter& parameter, std::span<const Index> lengths, std::span<const Index> order);

 private:
  template <class F>
  static void go_through(std::span<const Axis> axes, Index at, F& f) {
    if (axes.empty()) return f(at);
    for (Index i = 0; i < axes[0].length; ++i) go_through(axes.subspan(1), at + i * axes[0].stride, f);
  }
};

/// A tensor in a file.
struct StoredTensor {
  enum class Use {
    numbers,   ///< values of parameters
    added,     ///< added to the values of the previous tensor when read, written as 0
    constant,  ///< one value repeated, without a parameter in the model; optional in a file
    ignored,   ///< a counter without an equivalent in the model; optional in a file
  };

  std::string name;
  Shape shape;
  std::vector<Piece> pieces{};  ///< concatenated
  Use use = Use::numbers;
  Real constant = 0;
  std::string layer{};  ///< path of the layer, if the name does not contain it

  /// True if the tensor is one parameter in memory order.
  bool is_whole() const { return use == Use::numbers && pieces.size() == 1 && pieces[0].axes.empty(); }
  std::string label() const { return layer.empty() ? name : name + " of " + layer; }
};

/// The names of all tensors in a file, including those of unsupported types.
std::vector<std::string> names_in(const SafetensorsFile& file);

/// Guesses whose names a file has: PyTorch's or Keras's if more than half of them look like those, else Cornu's.
Names names_guessed(const SafetensorsFile& file);
/// The enumerator as source code: "Names::pytorch".
const char* code_of(Names names);

/// The parameters under their own names and in their own layouts.
std::vector<StoredTensor> as_they_are(const NamedParameters& parameters);

/// The tensors that hold the model's weights, in a new file (null) or in `file`, whose names are matched. Throws
/// ValueError for a layer that these names cannot express, for one in `rename` that does not exist, and for modules in
/// the file whose order is not clear.
std::vector<StoredTensor> stored_weights(SequentialState& model, Names names, const LayerNames& rename,
                                         const SafetensorsFile* file = nullptr);

// ---- For models/saving/weight_names*.cpp ----

/// A layer with parameters of its own.
struct StoredLayer {
  AnyLayer* layer;
  std::string path;            ///< encoder/dense
  NamedParameters parameters;  ///< without those of layers inside
  std::string module{};        ///< PyTorch's name: encoder.0
  std::vector<StoredTensor> tensors{};
};

/// `path` with its longest prefix in `rename` replaced.
std::string renamed(const std::string& path, const LayerNames& rename);
/// Splits `text` at each separator.
std::vector<std::string> parts_of(std::string_view text, char separator);
/// True if `path` is `outer`, or `outer` followed by one of the separators and more.
bool is_within(std::string_view path, std::string_view outer, std::string_view separators);

std::vector<StoredTensor> keras_weights(std::span<const StoredLayer> layers, const std::string& model,
                                        const LayerNames& rename, const SafetensorsFile* file);

/// For a vector that is a flattened image or sequence, channels first in PyTorch: the shape here, channels last.
using ImageOrder = std::optional<Shape>;

/// Finds the vectors whose elements PyTorch orders differently, with a forward pass over a sample of zeros.
class ImageOrders {
 public:
  /// Throws ValueError if the element order of a vector cannot be determined.
  explicit ImageOrders(const SequentialState& model);
  struct OfLayer {
    ImageOrder in{}, out{};
  };
  OfLayer of(const AnyLayer* layer) const;

 private:
  std::map<const AnyLayer*, OfLayer> layers_;
};

/// Number of modules of an nn.Sequential that correspond to this layer.
Index pytorch_modules(const AnyLayer& layer);
/// The layer's tensors, with names relative to its module. Throws ValueError if PyTorch's module cannot represent the
/// layer.
std::vector<StoredTensor> pytorch_tensors(const StoredLayer& layer, const ImageOrders::OfLayer& order);
/// Full name of a module's tensor: "0.weight". For level 1 of a multi-level recurrent module, "rnn[1]", "weight_ih_l0"
/// becomes "rnn.weight_ih_l1".
std::string in_module(const std::string& module, const std::string& tensor);
/// Assigns the modules in a file to the layers, and sets the names of their tensors.
void find_modules(std::span<StoredLayer> layers, const LayerNames& rename, const SafetensorsFile& file);

}  // namespace cornu::detail
