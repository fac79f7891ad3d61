#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cornu/models/export_cpp/calls.h"
#include "cornu/models/export_cpp/op_writer.h"
#include "cornu/models/export_cpp/program.h"

namespace cornu::detail {

/// Where the trained parameters of a trainable header are: positions in one array, by the addresses of their elements.
struct CppTrained {
  std::map<const Real*, Index> offsets{};
  Index size = 0;

  /// nullopt for a constant, or a parameter that does not learn.
  std::optional<Index> offset(const Trace::Value& value) const {
    const auto found = offsets.find(value.data.data());
    return value.is_known() && found != offsets.end() ? std::optional(found->second) : std::nullopt;
  }
};

/// Arrays that are written already, as arguments: by the value of the trace and the name.
using CppArrays = std::map<std::pair<std::size_t, std::string>, std::string>;

/// Writes the ops of a trace as calls of one function.
class CppTraceWriter {
 public:
  CppTraceWriter(const Trace& trace, CppProgram& program, CppArrays& arrays, const CppTrained& trained);

  /// Writes an op. Throws ValueError, naming layer and op.
  void write(const Trace::Op& op);
  /// A value of the trace in memory of its own: copied if it is the input, a constant, or a part of another value.
  CppValue output(std::size_t value);

  /// A value that keeps its elements in the state until it is computed again.
  CppValue held(const CppValue& value);

  CppCalls& calls() { return calls_; }
  /// Text before each call of the ops that are written from now on: a condition.
  void begin_calls_with(std::string text) { before_ = std::move(text); }
  /// Memory that the function keeps from call to call, by its first contents.
  const std::vector<float>& state() const { return state_; }

 private:
  friend class cornu::CppOpWriter;
  friend class CppGradientWriter;

  const Trace& trace_;
  CppProgram& program_;
  CppArrays& arrays_;
  const CppTrained& trained_;
  CppCalls calls_;
  std::vector<std::optional<CppValue>> values_;  // of the trace
  CppOpWriter to_;
  std::string before_{};
  std::vector<float> state_{};
};

/// True for a composed op that C++ has as one.
bool is_one_cpp_call(const Trace::Op& op);

/// The opening comment: what the header is, the inputs, and for each layer its ops and the shape of its result.
std::string cpp_description(const Trace& trace, const std::string& model, std::string_view what);

/// Elements of a sample of all inputs.
Index input_size(const Trace& trace);

}  // namespace cornu::detail
