#include "cornu/keras/load.h"

#include "cornu/core/text/naming.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/keras/archive.h"
#include "cornu/keras/weights.h"

namespace cornu::keras {

WeightsReport load_weights(Sequential& model, const std::string& file, const LoadWeightsOptions& options) {
  const FileBytes content(file, true);
  const detail::Parts parts = cornu::detail::naming(file, [&] { return detail::parts_of(content.bytes()); });
  const detail::Hdf5File weights(parts.weights, file);
  return cornu::detail::naming(file, [&] { return detail::read_weights(weights, model, options.strict); });
}

}  // namespace cornu::keras
