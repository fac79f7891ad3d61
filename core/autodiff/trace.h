#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cornu/core/autodiff/tape.h"

namespace cornu {

/// What a forward pass in inference mode computes, as a list of ops in order. Ops that no output depends on are left
/// out. The ONNX and C++ exports read it.
/// It refers to the parameters' values, which must outlive it unchanged. A model that branches on values is traced as
/// it ran on zeros.
struct Trace {
  /// A dimension: `fixed`, plus `per_sample` for each sample of the batch.
  struct Dimension {
    Index fixed = 0, per_sample = 0;

    Index at(Index batch) const { return fixed + per_sample * batch; }
    bool operator==(const Dimension&) const = default;
  };
  using Dimensions = std::vector<Dimension>;

  enum class Kind { input, parameter, constant, result };
  struct Value {
    Kind kind = Kind::result;
    std::string name{};  ///< of an input or a parameter: "encoder/dense/kernel"
    Dimensions shape{};
    /// The elements of a parameter or constant. A result has them, too, if it depends on no input.
    ConstView data{};
    bool trains = false;                    ///< a parameter that is not state, such as a moving average
    std::shared_ptr<const Tensor> owned{};  ///< what `data` refers to, unless that is a parameter

    bool is_known() const { return kind == Kind::parameter || kind == Kind::constant; }
    Shape at(Index batch) const;
  };

  struct Attribute {
    std::string name;
    std::variant<bool, Index, double, std::string, std::vector<Index>> value;
    bool operator==(const Attribute&) const = default;
  };
  struct Op {
    std::string name;  ///< "conv2d"; empty if the op has not given its name
    std::vector<Attribute> attributes{};
    std::vector<std::size_t> operands{};  ///< positions in `values`
    std::size_t result = 0;
    std::string layer{};  ///< path of the layer that called it: "encoder/dense"
    /// The ops that this one is composed of (see composite in operand.h); empty for one that is not.
    std::vector<Op> body{};

    /// An attribute. Throws ValueError, naming the op, if it has none of this name and type.
    bool flag(std::string_view attribute) const;
    Index integer(std::string_view attribute) const;
    double real(std::string_view attribute) const;
    const std::vector<Index>& integers(std::string_view attribute) const;
    const std::string& text(std::string_view attribute) const;
    bool has(std::string_view attribute) const;
  };

  std::vector<Value> values{};
  std::vector<Op> ops{};
  std::vector<std::size_t> inputs{}, outputs{};
  bool mixes_samples = false;  ///< a sample's results depend on the other samples of its batch

  const Value& operand(const Op& op, std::size_t i) const { return values[op.operands[i]]; }
  const Value& result(const Op& op) const { return values[op.result]; }
  /// Dimensions that do not depend on the batch.
  static Dimensions fixed(const Shape& shape);
  /// A value with elements of its own.
  static Value owning(Kind kind, Tensor numbers);
  /// Adds a constant and returns its position.
  std::size_t constant(Tensor numbers);
};

/// Parameters by the names that a trace uses.
using TracedParameters = std::vector<std::pair<std::string, const Parameter*>>;

/// A function to trace: its results, given values of these inputs on a tape.
using TracedFunction = std::function<std::vector<Var>(Tape& tape, std::span<const Var> inputs)>;

/// Traces `function`. samples: the shape of a sample of each input, without the batch axis. A parameter that is not
/// listed is a constant.
/// It is run with three batch sizes, on zeros, and once more on other inputs. Throws ValueError, naming op and layer,
/// if it calls other ops for another batch size; if a constant or an attribute depends on the batch size, but for a
/// constant that is the same for each sample; if a shape depends on it other than as a Dimension; or if a constant is
/// computed from the values of the inputs.
Trace trace(const TracedFunction& function, std::span<const Shape> samples, const TracedParameters& parameters);

/// One op a line: "%2 = affine(%1, dense/kernel, dense/bias) -> (batch, 128)  # dense".
std::string to_string(const Trace& trace);
/// The ops as a graph in the DOT language of Graphviz.
std::string to_dot(const Trace& trace);
/// "(batch, 28, 28)".
std::string to_string(const Trace::Dimensions& shape);

namespace detail {

/// The ops of a traced pass: a tape that records (Tape::record) adds one for each result.
struct Recording {
  struct Entry {
    const Node* result;
    std::string op;
    std::vector<Trace::Attribute> attributes;
    std::vector<const Node*> operands;
    std::string layer;
    std::vector<Entry> body{};
  };
  std::vector<Entry> entries{};
  std::string layer{};  ///< path of the layer that is called now

  void add(const Node& result, const OpDescription& op, std::span<const Var> operands);
  /// Moves the entries from `begin` on into the body of one op with this result.
  void compose(std::size_t begin, Var result, const OpDescription& op, std::span<const Var> operands);
  static const Node& node(Var value) { return value.node(); }
};

/// Throws ValueError, naming the layer, if `function` computes something else in training than in inference: other ops,
/// or ops on other constants. It is run on zeros in both modes.
void require_same_in_training(const TracedFunction& function, std::span<const Shape> samples,
                              const TracedParameters& parameters);

}  // namespace detail

}  // namespace cornu
