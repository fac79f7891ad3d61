#pragma once

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/models/sequential.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/samples.h"

namespace CLI {
class App;
}

/// The subcommands of the program: `declare` registers the options with CLI11; `run` returns the text to print.
namespace cornu::tool {

/// A wrong command line that CLI11 does not detect. The exit status is 2.
class UsageError : public Error {
  using Error::Error;
};

/// `cornu info FILE`: shows the contents of a file.
struct Info {
  std::string file;
  bool json = false;

  void declare(CLI::App& app);
  std::string run() const;
};

/// `cornu convert IN OUT`: converts a model or arrays to another format.
struct Convert {
  std::string in, out;
  std::string model;     // the Cornu model that receives IN's weights
  std::string from, to;  // names and layouts of weights: cornu, keras, pytorch
  std::string name;      // the namespace of an exported header
  bool int8 = false, compressed = false;
  std::vector<std::string> class_names;

  void declare(CLI::App& app);
  std::string run() const;

 private:
  std::vector<std::string> convert_model(FileKind kind) const;
  std::vector<std::string> convert_keras() const;
  /// Reads IN's weights into the model. Throws like its readers if they do not fit.
  void load_weights(Sequential& network, FileKind kind) const;
  /// Writes a model in the format of OUT's ending. Returns what OUT holds, as Becomes (convert.cpp).
  unsigned write_model(const Sequential& network) const;
  std::vector<std::string> convert_arrays(FileKind kind) const;
  /// Writes arrays in the format of OUT's ending. Returns what it does not hold.
  std::vector<std::string> write_arrays(const std::vector<RawTensor>& arrays, bool have_names) const;
};

/// `cornu predict MODEL INPUT...`: prints predictions for samples.
struct Predict {
  std::string model, output, output_name;
  std::vector<std::string> inputs;  // file; name=file if the model has several inputs
  Index top = 0;
  bool all = false, classes = false;
  ScaleOptions scale;

  void declare(CLI::App& app);
  std::string run() const;
};

/// `cornu run MODEL`: runs an ONNX model with any inputs and outputs.
struct Run {
  std::string model;
  std::vector<std::string> inputs, outputs;  // name=file, or file

  void declare(CLI::App& app);
  std::string run() const;
};

/// `cornu evaluate MODEL`: prints loss and metrics on labelled data.
struct Evaluate {
  std::string model, mnist, data, output_name;
  ScaleOptions scale;

  void declare(CLI::App& app);
  std::string run() const;
};

}  // namespace cornu::tool
