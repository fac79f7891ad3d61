#pragma once

#include <list>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/formats/safetensors.h"
#include "cornu/optim/optimizer.h"

/// What of a model goes into a file, and how it comes back: docs/formats.md says what is in the file.
namespace cornu {

struct SaveOptions {
  /// How it was compiled, and what the optimizer remembers. Without, a model is saved whose loss is a lambda.
  bool include_optimizer = true;
};

struct LoadOptions {
  bool compile = true;  ///< as it was when it was saved, if it was saved with that
  /// The most bytes that a pass over one sample may take, by which layers without a `build` are built.
  std::size_t pass_memory = std::size_t{1} << 30;
};

/// By whose names and in whose layouts weights are in a file (docs/formats.md has the tables).
enum class Names {
  cornu,    ///< dense/kernel
  keras,    ///< sequential/dense/kernel: the paths of Keras 3's variables
  pytorch,  ///< 0.weight: the state_dict of an nn.Sequential, channels before height and width
};

/// What layers are called in a file, by their paths: {{"dense", "fc1"}, {"encoder", "features"}}. What a layer owns
/// goes with it.
using LayerNames = std::map<std::string, std::string>;

struct SaveWeightsOptions {
  Names names = Names::cornu;
  LayerNames rename{};
};

struct LoadWeightsOptions {
  /// Everything must fit, or nothing is changed; false takes what fits.
  bool strict = true;
  Names names = Names::cornu;
  LayerNames rename{};
};

/// How the tensors of a file go with the parameters of a model.
struct WeightsReport {
  std::vector<std::string> missing;     ///< parameters that the file does not have
  std::vector<std::string> unexpected;  ///< tensors that are no parameter's
  std::vector<std::string> mismatched;  ///< "dense/kernel is (2, 3), the file has (3, 2)"

  /// Whether everything fits.
  explicit operator bool() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
};

/// A line for each of the three that is not empty.
std::string to_string(const WeightsReport& report);

namespace detail {

struct StoredTensor;  // models/saving/weight_names.h

/// Under which name a model describes itself in a file's metadata.
inline constexpr const char* model_metadata = "cornu.model";
/// Under which name the encoding of its table is there.
inline constexpr const char* csv_metadata = "cornu.csv_encoding";

/// What the names of tensors begin with that are no parameters.
inline constexpr const char* optimizer_prefix = "optimizer/";
inline constexpr const char* backup_prefix = "backup/";

using ConstParameters = std::vector<std::pair<std::string, const Parameter*>>;

/// The parameters' values as tensors of a file. They must stay where they are.
void put_weights(std::vector<RawTensor>& tensors, const ConstParameters& parameters);
/// The same in other layouts; `copies` keeps the numbers.
void put_weights(std::vector<RawTensor>& tensors, std::span<const StoredTensor> stored, std::list<Tensor>& copies);
/// The same for what an optimizer of these parameters remembers: `optimizer/dense/kernel/0`, ...; the rest is returned.
Json put_optimizer(std::vector<RawTensor>& tensors, const Optimizer& optimizer, const ConstParameters& parameters);

/// Gives the parameters the values that fit. If it is strict and some do not, nothing is changed and ValueError thrown.
WeightsReport get_weights(const SafetensorsFile& file, std::span<const StoredTensor> stored,
                          const LoadWeightsOptions& options);
/// The same by the parameters' own names.
WeightsReport get_weights(const SafetensorsFile& file, const NamedParameters& parameters,
                          const LoadWeightsOptions& options);
/// Throws FormatError if the file's state is not one of this optimizer's, which is then left half changed.
void get_optimizer(const SafetensorsFile& file, const Json& json, Optimizer& optimizer,
                   const ConstParameters& parameters);

/// The JSON under this name in a file's metadata. Throws FormatError if there is none, or it is of a later version.
Json described_in(const SafetensorsFile& file, const char* name);
/// A JSON to begin one with: it tells the version.
Json new_description();

}  // namespace detail
}  // namespace cornu
