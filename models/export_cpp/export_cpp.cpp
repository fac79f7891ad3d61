#include "cornu/models/export_cpp/export_cpp.h"

#include <span>
#include <string>

#include "cornu/core/error.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/models/export_cpp/layers.h"
#include "cornu/models/export_cpp/program.h"
#include "cornu/models/require_values.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

std::string to_cpp(const Sequential& model, const ExportCppOptions& options) {
  require<StateError>(model.built(), "{}: export_cpp: not built yet, so there are no weights", model.name());
  require<ValueError>(detail::can_be_namespace(options.name),
                      "export_cpp: name is \"{}\"; an identifier is required that is not a keyword or reserved",
                      options.name);
  detail::require_values(model);
  const Shape input = *model.input_shape();
  detail::CppProgram program(options, input);
  const detail::CppValue made = detail::write_chain(program, detail::SequentialState::of(model), {0, input});
  if (made.number != 0) return program.text(model.name(), made);
  const detail::CppValue copy = program.make(made.shape);
  program.call("put", message("1, {}, {}", input.size(), input.size()), {&made, 1}, "", copy);
  return program.text(model.name(), copy);
}

void Sequential::export_cpp(const std::string& path, const ExportCppOptions& options) const {
  const std::string text = to_cpp(*this, options);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cornu
