#include "cornu/onnx/save.h"

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/utf8.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/json.h"
#include "cornu/models/require_values.h"
#include "cornu/models/trace.h"
#include "cornu/onnx/rows.h"

namespace cornu::onnx {

std::string serialize(const Sequential& model, const SaveOptions& options) {
  cornu::detail::require_values(model);
  cornu::detail::require_one_length(model, "onnx::save");
  const Shape result = model.output_shape();
  const Index outputs = result.rank() == 0 ? 1 : result[-1];
  require<ValueError>(options.class_names.empty() || std::ssize(options.class_names) == outputs,
                      "{}: {} class names given for {} outputs", model.name(), options.class_names.size(), outputs);
  require<ValueError>(13 <= options.opset && options.opset <= 21, "onnx::save: opset is {}; it must be from 13 to 21",
                      options.opset);
  detail::Writer writer;
  detail::write_graph(trace(model), writer, options.opset);
  if (!options.class_names.empty()) {
    const auto json_text = [](const std::string& class_name) {
      cornu::detail::require_utf8("class name", class_name);
      return to_string(Json(class_name));
    };
    writer.metadata("class_names", "[" + cornu::detail::listed(options.class_names, json_text) + "]");
  }
  return writer.finished(model.name(), options.opset);
}

void save(const Sequential& model, const std::string& file, const SaveOptions& options) {
  const std::string bytes = serialize(model, options);
  AtomicFile to(file);
  to.write(std::as_bytes(std::span(bytes)));
  to.commit();
}

}  // namespace cornu::onnx
