#include "cornu/onnx/save.h"

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/utf8.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/json.h"
#include "cornu/models/require_values.h"
#include "cornu/onnx/exporter.h"

namespace cornu::onnx {

std::string serialize(const Sequential& model, const SaveOptions& options) {
  cornu::detail::require_values(model);
  const Shape result = model.output_shape(), sample = *model.input_shape();
  const Index outputs = result.rank() == 0 ? 1 : result[-1];
  require<ValueError>(options.class_names.empty() || std::ssize(options.class_names) == outputs,
                      "{}: {} class names given for {} outputs", model.name(), options.class_names.size(), outputs);
  const auto with_batch = [](const Shape& shape) {
    std::vector<Index> dimensions{detail::Writer::any};
    for (const Index dimension : shape.dimensions()) dimensions.push_back(dimension);
    return dimensions;
  };
  detail::Exporter exporter;
  // Reserved before a layer can use these names.
  const std::string input = exporter.writer.unique_name("input"), name = exporter.writer.unique_name("output");
  exporter.writer.input(input, with_batch(sample));
  detail::Exported y{input, sample};
  y = exporter.channels_last(detail::export_model(exporter, model, y));
  exporter.writer.node_of("Identity", "", std::span(&y.name, 1), std::span(&name, 1), {}, name);
  exporter.writer.output(name, with_batch(result));
  if (!options.class_names.empty()) {
    const auto json_text = [](const std::string& class_name) {
      cornu::detail::require_utf8("class name", class_name);
      return to_string(Json(class_name));
    };
    exporter.writer.metadata("class_names", "[" + cornu::detail::listed(options.class_names, json_text) + "]");
  }
  return exporter.writer.finished(model.name());
}

void save(const Sequential& model, const std::string& file, const SaveOptions& options) {
  const std::string bytes = serialize(model, options);
  AtomicFile to(file);
  to.write(std::as_bytes(std::span(bytes)));
  to.commit();
}

}  // namespace cornu::onnx
