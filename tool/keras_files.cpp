#include "cornu/tool/keras_files.h"

#ifdef CORNU_HAS_KERAS
#include "cornu/formats/file_bytes.h"
#include "cornu/keras/load.h"
#include "cornu/tool/file_kind.h"
#endif

namespace cornu::tool {

#ifdef CORNU_HAS_KERAS

bool is_keras(const std::string& path) {
  const FileKind kind = detail::file_kind(FileBytes(path, true).bytes());
  return kind == FileKind::keras || kind == FileKind::hdf5;
}

Sequential load_keras(const std::string& path, const LoadOptions& options) { return keras::load(path, options); }

void load_keras_weights(Sequential& model, const std::string& path) { keras::load_weights(model, path); }

#else

bool is_keras(const std::string&) { return false; }

Sequential load_keras(const std::string& path, const LoadOptions&) {
  throw ValueError(message("{}: this program was built without libhdf5, which Keras's files need", path));
}

void load_keras_weights(Sequential&, const std::string& path) { static_cast<void>(load_keras(path, {})); }

#endif

}  // namespace cornu::tool
