#include "cornu/tool/keras_files.h"

#ifdef CORNU_HAS_KERAS
#include "cornu/core/text/naming.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/keras/archive.h"
#include "cornu/keras/hdf5_file.h"
#include "cornu/keras/load.h"
#include "cornu/tool/file_kind.h"
#endif

namespace cornu::tool {

#ifdef CORNU_HAS_KERAS

bool is_keras(const std::string& path) {
  const FileKind kind = detail::file_kind(FileBytes(path, true).bytes());
  return kind == FileKind::keras || kind == FileKind::hdf5;
}

namespace {

/// What `use` returns for the parts of a file and its HDF5 file.
template <class Use>
auto with_parts(const std::string& path, Use use) {
  const FileBytes content(path, true);
  const auto of_file = cornu::detail::naming(path, [&] { return keras::detail::parts_of(content.bytes()); });
  return use(of_file, keras::detail::Hdf5File(of_file.weights, path));
}

}  // namespace

bool is_keras_weights(const std::string& path) {
  return is_keras(path) && with_parts(path, [](const auto& of_file, const keras::detail::Hdf5File& file) {
           return !of_file.config && file.texts("", "model_config") == nullptr;
         });
}

KerasWeights read_keras_weights(const std::string& path) {
  return with_parts(path, [](const auto&, const keras::detail::Hdf5File& file) {
    KerasWeights result{.list = file.content().tensors(), .unread = file.content().unread()};
    for (RawTensor& array : result.list) {
      array.bytes = result.elements.emplace_back(array.bytes.begin(), array.bytes.end());
    }
    return result;
  });
}

Sequential load_keras(const std::string& path, const LoadOptions& options) { return keras::load(path, options); }

void load_keras_weights(Sequential& model, const std::string& path) { keras::load_weights(model, path); }

#else

bool is_keras(const std::string&) { return false; }

Sequential load_keras(const std::string& path, const LoadOptions&) {
  throw ValueError(message("{}: this program was built without libhdf5, which Keras's files need", path));
}

bool is_keras_weights(const std::string&) { return false; }
KerasWeights read_keras_weights(const std::string& path) {
  static_cast<void>(load_keras(path, {}));
  return {};
}

void load_keras_weights(Sequential&, const std::string& path) { static_cast<void>(load_keras(path, {})); }

#endif

}  // namespace cornu::tool
