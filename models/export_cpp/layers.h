#pragma once

#include <optional>
#include <string>

#include "cornu/layers/activation.h"
#include "cornu/layers/chain.h"
#include "cornu/models/export_cpp/program.h"

/// What layers become in an exported predictor. A new one needs its function, and its line where that one's subject is.
namespace cornu::detail {

/// The calls that make what the layers make of x. Throws ValueError, naming it, for a layer that there is no text for.
CppValue write_chain(CppProgram& program, const Chain& chain, CppValue x);

/// The same of a layer of one subject; nothing if it is of another.
std::optional<CppValue> write_activation(CppProgram& program, const AnyLayer& layer, const CppValue& x);
std::optional<CppValue> write_normalization(CppProgram& program, const AnyLayer& layer, const CppValue& x);
std::optional<CppValue> write_sequence_layer(CppProgram& program, const AnyLayer& layer, const CppValue& x);

/// The text of a function of a number: "[](float v) { return std::tanh(v); }". Throws ValueError if there is none.
std::string function_text(const CppProgram& program, const Activation& activation);
/// What the function makes of x.
CppValue activated(CppProgram& program, const CppValue& x, const Activation& activation);
/// x w + bias, for rows of x: a call of "dense". `arguments`: w, its scale, bias.
CppValue product(CppProgram& program, const CppValue& x, Index outputs, const std::string& arguments,
                 const Shape& result);
/// A bias, as an argument.
std::string bias_of(CppProgram& program, bool use_bias, const Parameter& bias);

/// The layer with the BatchNormalization that is `next` in its kernel and bias, for samples of this rank; nothing if
/// the two are no such layers.
std::optional<AnyLayer> folded(const AnyLayer& layer, const AnyLayer& next, Index rank);

}  // namespace cornu::detail
