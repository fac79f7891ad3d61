#pragma once

#include "cornu/core/compiler.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/autodiff/trace.h"

namespace cornu {

/// How an op of a trace is called again, from nothing but its operands and attributes. shape: of the result, for the
/// batch of this pass.
using OpCall = std::function<Var(const Trace::Op& op, std::span<const Var> operands, const Shape& shape)>;

namespace detail {

/// How an op is called; nullptr if that is not known. Ops that are composed of others are not known.
const OpCall* find_op_call(std::string_view op);
/// Throws ValueError for a name that is known.
void add_op_call(std::string op, OpCall call);
/// True for an op that add_op_call has added.
bool is_users_op(std::string_view op);
/// Sorted.
std::vector<std::string> called_op_names();

}  // namespace detail

}  // namespace cornu
