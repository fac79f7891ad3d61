#pragma once

#include <list>
#include <string>
#include <vector>

#include "cornu/tool/network.h"

/// Everything that depends on cornu::keras.
namespace cornu::tool {

/// True for a file of Keras's, by its content, if the program is built with cornu::keras. Without it, other readers
/// name the kind of the file and what to do with it.
bool is_keras(const std::string& path);

/// The arrays of a file of weights alone (.weights.h5), by their paths in it.
struct KerasWeights {
  std::vector<RawTensor> list{};
  std::vector<UnreadArray> unread{};
  std::list<std::vector<std::byte>> elements{};  ///< what the arrays point into
};

/// True if a file of Keras's holds weights, but no model.
bool is_keras_weights(const std::string& path);
/// Throws FileError if it cannot be read, FormatError if it is damaged.
KerasWeights read_keras_weights(const std::string& path);

/// Throw what keras::load and keras::load_weights throw.
Sequential load_keras(const std::string& path, const LoadOptions& options);
void load_keras_weights(Sequential& model, const std::string& path);

}  // namespace cornu::tool
