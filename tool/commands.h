#pragma once

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/samples.h"

namespace CLI {
class App;
}

/// The commands of the program: options that are declared to CLI11, and `run`, which returns what is to be printed.
namespace cornu::tool {

/// Options that make no sense together. Ends the program with status 2, as those that CLI11 refuses.
class UsageError : public Error {
  using Error::Error;
};

/// `cornu info FILE`: what is in a file.
struct Info {
  std::string file;
  bool json = false;

  void declare(CLI::App& app);
  std::string run() const;
};

/// `cornu convert IN OUT`: the same in another format.
struct Convert {
  std::string in, out;
  std::string model;     // that IN's weights are put into
  std::string from, to;  // whose names weights have: cornu, keras, pytorch
  std::string name;      // of the namespace in a header
  bool int8 = false, compressed = false;
  std::vector<std::string> class_names;

  void declare(CLI::App& app);
  std::string run() const;

 private:
  std::vector<std::string> convert_model() const;
  std::vector<std::string> convert_arrays(FileKind kind) const;
};

/// `cornu predict MODEL INPUT...`: what a model makes of samples.
struct Predict {
  std::string model, output;
  std::vector<std::string> inputs;
  Index top = 0;
  bool all = false, classes = false;
  ScaleOptions scale;

  void declare(CLI::App& app);
  std::string run() const;
};

/// `cornu evaluate MODEL`: how good a model is.
struct Evaluate {
  std::string model, mnist, data;
  ScaleOptions scale;

  void declare(CLI::App& app);
  std::string run() const;
};

}  // namespace cornu::tool
