#include "cornu/cornu.h"
#include "cornu/tests/models/export_cpp/cases.h"
#include "cornu/tests/support/indexing_layers.h"
#include "cornu/tests/support/tensors.h"

namespace cornu::testing {

std::vector<ExportCppCase> indexing_cpp_cases() {
  std::vector<ExportCppCase> result;
  const auto add = [&](const std::string& name, Sequential model) {
    const Shape input = model.input_shape()->batched(5);
    result.push_back({name, std::move(model), normal(input)});
  };
  add("moves_elements", {Input{6, 4}, MovesElements{}, Dense{3}});
  add("picks_elements", {Input{6, 4}, PicksElements{}, Dense{3}});
  add("resizes_images", {Input{3, 4, 2}, ResizesImages{{7, 4}}, ResizesImages{{2, 9}}});
  const auto transposed = [] {
    return Sequential{
        Input{3, 4, 2}, Transposed{{3, 2, 3, 2}, {.strides = 2}},
        Transposed{{2, 2, 2, 3}, {.strides = {3, 1}, .padding = Padding::same, .dilation_rate = {1, 2}}},
        Transposed{{3, 3, 1, 2}, {.padding = Padding::same, .groups = 2}},
        Transposed{{2, 3, 33, 2}, {.strides = 2, .padding = Padding::same, .output_padding = Size2D(1, 0)}}};
  };
  add("transposed", transposed());
  add("transposed_int8", transposed());
  result.back().int8_weights = true;
  return result;
}

}  // namespace cornu::testing
