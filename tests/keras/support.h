#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/tensor.h"
#include "cornu/tests/support/paths.h"

/// Shared by the tests of cornu::keras. tests/keras/fixtures/make.py has made the files.
namespace cornu::testing {

inline std::string keras_path(const std::string& name) { return source_path("tests/keras/fixtures/" + name); }

inline std::string keras_bytes(const std::string& name) {
  std::ifstream file(keras_path(name), std::ios::binary);
  require<FileError>(file.good(), "{}: cannot be read", name);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What NumPy computed: the inputs and outputs of a fixture.
struct KerasValues {
  std::vector<Tensor> inputs, outputs;
};

inline KerasValues keras_values(const std::string& name) {
  std::istringstream file(keras_bytes(name + ".txt"));
  KerasValues result;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    std::vector<Index> dimensions;
    for (Index dimension = 0; words >> dimension;) dimensions.push_back(dimension);
    Tensor values(Shape{std::span<const Index>(dimensions)});
    std::getline(file, line);
    std::istringstream numbers(line);
    for (Real& value : values) numbers >> value;
    (kind == "input" ? result.inputs : result.outputs).push_back(std::move(values));
  }
  return result;
}

/// The largest difference between two tensors of one shape.
inline double keras_difference(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "shapes {} and {}", a.shape(), b.shape());
  double most = 0;
  for (Index i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return most;
}

}  // namespace cornu::testing
