#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/formats/named_tensors.h"
#include "cornu/layers/any_layer.h"
#include "cornu/layers/pytorch/pytorch_module.h"
#include "cornu/models/saving/saving.h"

/// Matches the tensors of a file with a model's parameters, with the names and layouts of Cornu, Keras and PyTorch.
/// Internal to models/saving.
namespace cornu::detail {

struct SequentialState;

/// The names of all tensors in a file, including those of unsupported types.
std::vector<std::string> names_in(const NamedTensors& file);

/// Guesses whose names a file has: PyTorch's or Keras's if more than half of them look like those, else Cornu's.
Names names_guessed(const NamedTensors& file);
/// The enumerator as source code: "Names::pytorch".
const char* code_of(Names names);

/// The parameters under their own names and in their own layouts.
std::vector<StoredTensor> own_layout(const NamedParameters& parameters);

/// The tensors that hold the model's weights, in a new file (null) or in `file`, whose names are matched. Throws
/// ValueError for a layer that these names cannot express, for one in `rename` that does not exist, and for modules in
/// the file whose order is not clear.
std::vector<StoredTensor> stored_weights(SequentialState& model, Names names, const LayerNames& rename,
                                         const NamedTensors* file = nullptr);

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
                                        const LayerNames& rename, const NamedTensors* file);

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

/// Full name of a module's tensor: "0.weight". For level 1 of a multi-level recurrent module, "rnn[1]", "weight_ih_l0"
/// becomes "rnn.weight_ih_l1".
std::string in_module(const std::string& module, const std::string& tensor);
/// Assigns the modules in a file to the layers, and sets the names of their tensors.
void find_modules(std::span<StoredLayer> layers, const LayerNames& rename, const NamedTensors& file);

}  // namespace cornu::detail
