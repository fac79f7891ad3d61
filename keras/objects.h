#pragma once

#include <optional>
#include <string>

#include "cornu/core/options/json.h"
#include "cornu/keras/lacks.h"

/// Objects in Keras's JSON, {"class_name": ..., "config": {...}}, in Cornu's form.
namespace cornu::keras::detail {

/// The text of a member; "" if there is none, or it is no text.
std::string text_in(const Json& json, const char* name);
/// The member; null if there is none.
const Json& in(const Json& json, const char* name);
/// Numbers are equal if their values are: 1 and 1.0.
bool same(const Json& a, const Json& b);

/// The name of an activation: null is "linear". Empty if it is not text, nor a function with a name.
std::optional<std::string> activation_of(const Json& json);
/// Empty for an initializer that Cornu does not have.
std::optional<Json> initializer_of(const Json& json);
std::optional<Json> regularizer_of(const Json& json);
std::optional<Json> constraint_of(const Json& json);

/// The name of a type of numbers: a text, or a policy.
std::string dtype_of(const Json& json);

}  // namespace cornu::keras::detail
