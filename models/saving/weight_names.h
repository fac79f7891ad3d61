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

/// The tensors of a file and the parameters that they stand for, by the names and in the layouts of others: for
/// models/*.cpp alone.
namespace cornu::detail {

struct SequentialState;

/// Numbers of a parameter in the order in which a file has them.
struct Piece {
  struct Axis {
    Index length, stride;
  };
  Parameter* parameter;
  Index begin = 0;
  std::vector<Axis> axes{};  ///< the last one fastest; none: all numbers as they lie

  /// f(position in the parameter), in the file's order.
  template <class F>
  void for_each(F f) const {
    if (axes.empty()) {
      for (Index i = 0; i < parameter->value.size(); ++i) f(i);
    } else {
      go_through(axes, begin, f);
    }
  }

  /// All numbers, under `lengths`, with the axes in this order.
  static Piece permuted(Parameter& parameter, std::span<const Index> lengths, std::span<const Index> order);

 private:
  template <class F>
  static void go_through(std::span<const Axis> axes, Index at, F& f) {
    if (axes.empty()) return f(at);
    for (Index i = 0; i < axes[0].length; ++i) go_through(axes.subspan(1), at + i * axes[0].stride, f);
  }
};

/// A tensor of a file.
struct StoredTensor {
  enum class Use {
    numbers,   ///< the parameters'
    added,     ///< are to be added to the parameters', and written as 0
    constant,  ///< one number everywhere, which the model has no parameter for; need not be there
    ignored,   ///< a counter that the model does not keep; need not be there
  };

  std::string name;
  Shape shape;
  std::vector<Piece> pieces{};  ///< whose numbers follow each other
  Use use = Use::numbers;
  Real constant = 0;
  std::string layer{};  ///< whose it is, where the name does not tell

  /// Whether it is a parameter as that lies in memory.
  bool is_whole() const { return use == Use::numbers && pieces.size() == 1 && pieces[0].axes.empty(); }
  std::string label() const { return layer.empty() ? name : name + " of " + layer; }
};

/// The names of all tensors in a file, those included that are not read: asking for one says why.
std::vector<std::string> names_in(const SafetensorsFile& file);

/// Whose names the tensors of a file have, as far as names tell: most of them are such as PyTorch or Keras give.
Names names_guessed(const SafetensorsFile& file);
/// "Names::pytorch"
const char* code_of(Names names);

/// The parameters under their own names.
std::vector<StoredTensor> as_they_are(const NamedParameters& parameters);

/// What the weights of a model are in a file: in a new one, or in one that is there, whose names are looked through
/// for them. Throws ValueError for a layer that these names have no words for, one in `rename` that is not there, and
/// for modules of a file whose order cannot be told.
std::vector<StoredTensor> stored_weights(SequentialState& model, Names names, const LayerNames& rename,
                                         const SafetensorsFile* file = nullptr);

// ---- For models/weight_names*.cpp ----

/// A layer that has parameters itself.
struct StoredLayer {
  AnyLayer* layer;
  std::string path;            ///< encoder/dense
  NamedParameters parameters;  ///< its own, not those of layers inside
  std::string module{};        ///< encoder.0, in PyTorch
  std::vector<StoredTensor> tensors{};
};

/// `path` with the longest beginning that `rename` has replaced.
std::string renamed(const std::string& path, const LayerNames& rename);
/// The parts between separators.
std::vector<std::string> parts_of(std::string_view text, char separator);
/// Whether `path` is `outer` or, after any of these separators, something inside it.
bool is_within(std::string_view path, std::string_view outer, std::string_view separators);

std::vector<StoredTensor> keras_weights(std::span<const StoredLayer> layers, const std::string& model,
                                        const LayerNames& rename, const SafetensorsFile* file);

/// Of a vector that PyTorch flattens from, or makes, an image or a sequence of channels: its shape here, channels last.
using ImageOrder = std::optional<Shape>;

/// The vectors whose numbers PyTorch has in another order, seen in a pass over a sample of zeros.
class ImageOrders {
 public:
  /// Throws ValueError where an order cannot be followed.
  explicit ImageOrders(const SequentialState& model);
  struct OfLayer {
    ImageOrder in{}, out{};
  };
  OfLayer of(const AnyLayer* layer) const;

 private:
  std::map<const AnyLayer*, OfLayer> layers_;
};

/// How many modules of an nn.Sequential do what this layer does.
Index pytorch_modules(const AnyLayer& layer);
/// The layer's tensors, with names within its module. Throws ValueError if PyTorch's module cannot do the same.
std::vector<StoredTensor> pytorch_tensors(const StoredLayer& layer, const ImageOrders::OfLayer& order);
/// "0.weight". A level of a recurrent module of several, "rnn[1]", has "rnn.weight_ih_l1" of "weight_ih_l0".
std::string in_module(const std::string& module, const std::string& tensor);
/// Gives the layers the modules of a file that are theirs, and their tensors the names there.
void find_modules(std::span<StoredLayer> layers, const LayerNames& rename, const SafetensorsFile& file);

}  // namespace cornu::detail
