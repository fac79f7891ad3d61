#pragma once

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/options/json.h"
#include "cornu/core/shape.h"

/// Connections in the JSON of a functional model, in the forms of Keras 3 and Keras 2.
namespace cornu::keras::detail {

/// A result of a layer: output `output` of its call `node`.
struct Reference {
  std::string layer;
  Index node = 0, output = 0;
};

/// A call of a layer.
struct Node {
  std::vector<Reference> inputs{};
  bool use_causal_mask = false;
  bool is_old = false;  ///< in the form of Keras 2
};

/// A call with arguments that Cornu cannot express. `what()` names them.
class Unsupported : public Error {
  using Error::Error;
};

/// The calls of a layer. Throws FormatError for JSON in another form, Unsupported for arguments that Cornu lacks.
std::vector<Node> nodes_of(const Json& inbound_nodes);

/// `input_layers` or `output_layers`: ["dense", 0, 0], a list of such lists, or an object with one for each name.
std::vector<Reference> references_of_places(const Json& places);

}  // namespace cornu::keras::detail
