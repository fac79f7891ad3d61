#pragma once

#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/formats/safetensors.h"
#include "cornu/optim/optimizer.h"

/// Saving and loading models and weights. docs/formats.md describes the files.
namespace cornu {

struct SaveOptions {
  /// Also save the compile settings and the optimizer's state. Set to false to save a model whose loss is a lambda.
  bool include_optimizer = true;
};

struct LoadOptions {
  bool compile = true;  ///< compile the model with the saved settings, if the file has them
  /// Memory limit in bytes of a forward pass over one sample, which builds layers without a `build` function.
  std::size_t pass_memory = std::size_t{1} << 30;
};

/// Whose names and layouts the weights in a file have (docs/formats.md has the tables).
enum class Names {
  cornu,    ///< dense/kernel
  keras,    ///< sequential/dense/kernel: the paths of Keras 3's variables
  pytorch,  ///< 0.weight: the state_dict of an nn.Sequential, channels first
};

/// Names of layers in a file, by the layers' paths: {{"dense", "fc1"}, {"encoder", "features"}}. Renaming a layer also
/// renames the layers inside it.
using LayerNames = std::map<std::string, std::string>;

struct SaveWeightsOptions {
  Names names = Names::cornu;
  LayerNames rename{};
};

struct LoadWeightsOptions {
  /// True: all weights must fit, or nothing is changed. False: read those that fit.
  bool strict = true;
  /// Unset: PyTorch's for its own files (.pt), otherwise Cornu's.
  std::optional<Names> names{};
  LayerNames rename{};
};

/// How the tensors of a file match the parameters of a model.
struct WeightsReport {
  std::vector<std::string> missing;     ///< parameters without a tensor in the file
  std::vector<std::string> unexpected;  ///< tensors without a parameter
  std::vector<std::string> mismatched;  ///< as in "dense/kernel is (2, 3), the file has (3, 2)"

  /// True if everything fits.
  explicit operator bool() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
};

/// One line for each list that is not empty.
std::string to_string(const WeightsReport& report);

namespace detail {

struct StoredTensor;  // models/saving/weight_names.h

/// Metadata key of the model's description.
inline constexpr const char* model_metadata = "cornu.model";
/// Metadata key of the CSV encoding.
inline constexpr const char* csv_metadata = "cornu.csv_encoding";

/// Name prefixes of tensors that are not parameters.
inline constexpr const char* optimizer_prefix = "optimizer/";
inline constexpr const char* backup_prefix = "backup/";

using ConstParameters = std::vector<std::pair<std::string, const Parameter*>>;

/// Appends the parameters' values. The tensors point to them, so the parameters must not move.
void put_weights(std::vector<RawTensor>& tensors, const ConstParameters& parameters);
/// The same in other layouts; `copies` owns the rearranged values.
void put_weights(std::vector<RawTensor>& tensors, std::span<const StoredTensor> stored, std::list<Tensor>& copies);
/// The same for the optimizer's slots of these parameters: `optimizer/dense/kernel/0`, ... Returns the rest of its
/// state.
Json put_optimizer(std::vector<RawTensor>& tensors, const Optimizer& optimizer, const ConstParameters& parameters);

/// Sets the parameters that fit. With `strict`, throws ValueError and changes nothing if any does not fit.
WeightsReport get_weights(const NamedTensors& file, std::span<const StoredTensor> stored,
                          const LoadWeightsOptions& options);
/// The same with the parameters' own names.
WeightsReport get_weights(const NamedTensors& file, const NamedParameters& parameters,
                          const LoadWeightsOptions& options);
/// Throws FormatError if the state in the file does not fit this optimizer, which is then partly changed.
void get_optimizer(const NamedTensors& file, const Json& json, Optimizer& optimizer, const ConstParameters& parameters);

/// Parses the JSON under this metadata key. Throws FormatError if there is none, or for a later format version.
Json described_in(const NamedTensors& file, const char* name);
/// A JSON object with the format version.
Json new_description();

}  // namespace detail
}  // namespace cornu
