#pragma once

#include <string>

#include "cornu/tool/file_kind.h"

namespace cornu::tool {

/// The file that `cornu convert` reads.
struct Source {
  std::string path;
  FileKind kind;  ///< hdf5: a file of Keras's weights; keras: a model of Keras's

  /// Throws an error that says what the file can become, unless it can be converted to a file called `out`: with
  /// `--model`, as the weights of that model; with `--to`, as weights only.
  void require_can_become(const std::string& out, bool with_model, bool weights_only) const;
};

}  // namespace cornu::tool
