#pragma once

#include <span>
#include <string>
#include <vector>

#include "cornu/tool/samples.h"

namespace cornu::tool {

struct NamedSamples {
  std::string name;  ///< of the file, in errors
  Samples samples;
};

/// A dataset with the samples of all inputs of a model. Those of several inputs are packed into rows, see Inputs.
class SampleSet {
 public:
  /// Throws ShapeError, naming the files, unless all have the same number of samples.
  explicit SampleSet(std::vector<NamedSamples> inputs);

  Index size() const { return inputs_.front().samples.size(); }
  /// The shapes of a sample, one for each input.
  std::vector<Shape> shapes() const;
  Shape feature_shape() const;
  void gather(std::span<const Index> rows, View x, View y) const;

 private:
  std::vector<NamedSamples> inputs_;
};

}  // namespace cornu::tool
