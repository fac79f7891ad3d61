#pragma once

#include <optional>
#include <string>

#include "cornu/layers/activation.h"
#include "cornu/layers/chain.h"
#include "cornu/models/export_cpp/program.h"

/// Writes layers as calls of kernels. A new layer needs a function, and a line in the write_ function of its group.
namespace cornu::detail {

/// Writes the layers' calls and returns their output. Throws ValueError, naming the layer, for one that cannot be
/// exported.
CppValue write_chain(CppProgram& program, const Chain& chain, CppValue x);

/// The same for a layer of one group; nullopt if the layer is not in that group.
std::optional<CppValue> write_activation(CppProgram& program, const AnyLayer& layer, const CppValue& x);
std::optional<CppValue> write_normalization(CppProgram& program, const AnyLayer& layer, const CppValue& x);
std::optional<CppValue> write_sequence_layer(CppProgram& program, const AnyLayer& layer, const CppValue& x);

/// The activation as a lambda: "[](float v) { return std::tanh(v); }". Throws ValueError for a user's activation.
std::string function_text(const CppProgram& program, const Activation& activation);
/// Writes the activation of x.
CppValue activated(CppProgram& program, const CppValue& x, const Activation& activation);
/// Writes a call of "dense": x w + bias for the rows of x. arguments: w, its scale, bias.
CppValue product(CppProgram& program, const CppValue& x, Index outputs, const std::string& arguments,
                 const Shape& result);
/// A parameter as an argument, "nullptr" if the layer does not use it.
std::string array_if(CppProgram& program, bool is_used, const std::string& name, const Parameter& parameter);
/// A kernel, its scales and the bias as arguments.
std::string weights_and_bias(CppProgram& program, const Parameter& kernel, Index outputs, bool use_bias,
                             const Parameter& bias);

/// Folds the BatchNormalization `next` into the kernel and bias of `layer`. rank: of a sample. Returns nullopt if that
/// is not possible for these two layers.
std::optional<AnyLayer> folded(const AnyLayer& layer, const AnyLayer& next, Index rank);

}  // namespace cornu::detail
