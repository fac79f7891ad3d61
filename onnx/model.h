#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/deep_ptr.h"
#include "cornu/core/parameter.h"

/// Imports and exports ONNX models. Built as a separate library, cornu::onnx.
namespace cornu::onnx {

namespace detail {
struct Program;
}

/// Whole numbers of up to 64 bits, or booleans (1 and 0).
struct Integers {
  Shape shape{};
  std::vector<std::int64_t> elements{};  ///< row-major

  friend bool operator==(const Integers&, const Integers&) = default;
};

/// What graphs take and return.
using Array = std::variant<Tensor, Integers>;

/// An input or an output of a graph.
struct Port {
  std::string name;
  std::string type;  ///< ONNX's name of the element type: "float", "int64", "bool"
  /// With the batch axis, as declared in the file; -1 for an open dimension. Empty if the file declares no shape.
  std::optional<std::vector<Index>> shape;
};

/// The graph of an ONNX file. Shapes and layout are those of the file: images are (batch, channels, height, width).
///
///     onnx::Model m = onnx::load("m.onnx");
///     Tensor y = m.predict(x);                                   // one input, one output
///     std::map<std::string, Tensor> all = m.run({{"x", x}});     // any number, by name
///     Sequential model{m, Dense{10, softmax}};                   // a trainable layer like any other
///
/// An initializer of rank 1 or more is a weight if it is an operand of a matrix product, a convolution, a normalization
/// or an embedding, or of an addition, subtraction, multiplication or division. Weights are trainable parameters under
/// their names in the file; kernels have the axis order of Cornu's layers. All other initializers are parameters that
/// are not trainable. In training, Dropout is active, and batch normalization keeps its moving averages unchanged.
/// Errors while the graph runs name file and node; a result too large for the memory is a ShapeError.
/// const functions may be called from any number of threads at once. A moved-from model can be assigned to or
/// destroyed; any other use throws StateError.
class Model {
 public:
  Model(const Model& other);
  Model(Model&& other) noexcept;
  Model& operator=(Model other) noexcept;
  ~Model();

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;
  /// The file's metadata, such as the names of classes.
  const std::map<std::string, std::string>& metadata() const;

  /// For use as a layer: a graph with one input and one output. Throws ValueError with the names for any other graph.
  Var forward(Var x) const;
  NamedParameters parameters();
  std::optional<Shape> input_shape() const;

  /// Takes values for all inputs and returns all outputs, both in the graph's order.
  std::vector<Var> forward(std::span<const Var> inputs) const;
  /// Takes inputs and returns outputs by name; for a graph without inputs, call `run({})`. Throws ValueError for an
  /// unknown or missing input, a fraction where the graph takes integers, and an output integer that a Real cannot
  /// represent.
  std::map<std::string, Tensor> run(const std::map<std::string, Tensor>& inputs) const;
  /// The same with whole numbers and booleans as such: where the graph takes them, give Integers or a Tensor; where it
  /// returns them, they are Integers. Throws ValueError for a number out of the range of the input's type.
  std::map<std::string, Array> run_exact(const std::map<std::string, Array>& inputs) const;
  Tensor predict(const Tensor& x) const;

 private:
  friend Model load(const std::string& file);
  friend Model parse(std::string_view bytes, std::string_view name);
  explicit Model(std::unique_ptr<detail::Program> program);

  cornu::detail::OwnedPtr<detail::Program> program_;
};

/// Reads a file, and the files of external data in its folder. Supports opsets 6 to 28 of ONNX's default domain, and
/// the optimizers of ai.onnx.preview.training. Throws FileError if the file cannot be read, and FormatError, naming
/// file, node and op, if it is malformed or not supported. One error lists all unsupported ops.
Model load(const std::string& file);
/// The same from memory, where a model cannot have external data; errors call it `name`.
Model parse(std::string_view bytes, std::string_view name = "model");

}  // namespace cornu::onnx
