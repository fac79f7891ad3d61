#pragma once

#include <string>

#include "cornu/tool/network.h"

/// Everything that depends on cornu::keras.
namespace cornu::tool {

/// True for a file of Keras's, by its content, if the program is built with cornu::keras. Without it, other readers
/// name the kind of the file and what to do with it.
bool is_keras(const std::string& path);

/// Throw what keras::load and keras::load_weights throw.
Sequential load_keras(const std::string& path, const LoadOptions& options);
void load_keras_weights(Sequential& model, const std::string& path);

}  // namespace cornu::tool
