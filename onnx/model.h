#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/parameter.h"
#include "cornu/core/tape.h"

/// Models of other frameworks, and for them: ONNX files. In a library of its own, cornu::onnx.
namespace cornu::onnx {

namespace detail {
struct Program;
}

/// An input or an output of a graph.
struct Port {
  std::string name;
  /// With the batch, as the file tells it; -1 for a dimension that may be any. Empty for one of which the file tells
  /// nothing.
  std::optional<std::vector<Index>> shape;
};

/// The graph of an ONNX file. It has the shapes and the layout of the file: images are (batch, channels, height,
/// width).
///
///     onnx::Model m = onnx::load("m.onnx");
///     Tensor y = m.predict(x);                                   // one input, one output
///     std::map<std::string, Tensor> all = m.run({{"x", x}});     // any number, by name
///     Sequential model{m, Dense{10, softmax}};                   // a layer like others, which is trained on
///
/// Weights are those initializers with axes that are an operand of a product, a convolution, a normalisation, an
/// embedding, or a sum, difference, product or quotient of two. They are parameters under their names
/// in the file, kernels with their axes as Cornu's layers have them, and are trained; other initializers are
/// parameters that are not. Batch normalisation keeps its moving averages, and Dropout drops in training.
/// What goes wrong while the graph runs is an Error that names file and node; ShapeError where a node makes more than
/// there is memory for.
/// const functions may be called by any number of threads at once. One that was moved from can be assigned to or
/// destroyed; any other use throws StateError.
class Model {
 public:
  Model(const Model& other);
  Model(Model&& other) noexcept;
  Model& operator=(Model other) noexcept;
  ~Model();

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;
  /// What the file says beside the graph, such as the names of classes.
  const std::map<std::string, std::string>& metadata() const;

  /// As a layer, for a graph of one input and one output; throws ValueError, naming them, for others.
  Var forward(Var x) const;
  NamedParameters parameters();
  std::optional<Shape> input_shape() const;

  /// The outputs, in order, of values for each input, in order.
  std::vector<Var> forward(std::span<const Var> inputs) const;
  /// Throws ValueError for a name that is no input, an input that is missing, a fraction where the graph takes
  /// integers, and an integer among the outputs that a Real cannot hold. Without inputs, `run({})`.
  std::map<std::string, Tensor> run(const std::map<std::string, Tensor>& inputs) const;
  Tensor predict(const Tensor& x) const;

 private:
  friend Model parse(std::string_view bytes, std::string_view name);
  explicit Model(std::unique_ptr<detail::Program> program);

  cornu::detail::OwnedPtr<detail::Program> program_;
};

/// Reads a file. ONNX's own domain in opsets 6 to 17, and the optimizers of ai.onnx.preview.training.
/// Throws FileError for one that cannot be read, FormatError for one that breaks the format or needs what Cornu does
/// not have, naming file, node and op; all ops that it does not have at once.
Model load(const std::string& file);
/// The same from memory; `name` is what errors call it.
Model parse(std::string_view bytes, std::string_view name = "model");

}  // namespace cornu::onnx
