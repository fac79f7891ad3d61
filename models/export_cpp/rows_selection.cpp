#include <fmt/format.h>

#include <array>
#include <vector>

#include "cornu/models/export_cpp/rows.h"

/// How selections, and reductions with a function of their own, are written.
namespace cornu::detail {

namespace {

std::string reduced_axes(const CppOpWriter& to) {
  const Shape x = to.shape(0);
  return to.op().has("axis") ? around(x, to.op().integer("axis")) : fmt::format("1, {}, 1", x.size());
}

CppValue write_cumsum(CppOpWriter& to) {
  return to.call("cumulative",
                 fmt::format("{}, {}, {}", around(to.shape(0), to.op().integer("axis")), to.op().flag("exclusive"),
                             to.op().flag("reverse")),
                 {to.operand(0)});
}

}  // namespace

std::string selected_axes(const std::array<Shape, 3>& operands, const Shape& result) {
  struct Axis {
    Index n;
    std::array<Index, 3> steps;
  };
  std::vector<Axis> axes;  // from the last; adjacent ones are merged where one step serves for both
  std::array<Index, 3> sizes{1, 1, 1};
  for (Index i = 1; i <= result.rank(); ++i) {
    Axis axis{result[-i], {}};
    for (std::size_t k = 0; k < 3; ++k) {
      const Index n = i <= operands[k].rank() ? operands[k][-i] : 1;
      axis.steps[k] = n == 1 ? 0 : sizes[k];
      sizes[k] *= n;
    }
    if (axis.n == 1) continue;
    bool merges = !axes.empty();
    for (std::size_t k = 0; merges && k < 3; ++k) merges = axis.steps[k] == axes.back().steps[k] * axes.back().n;
    if (merges) {
      axes.back().n *= axis.n;
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) return "detail::Selection<1, 0, 0, 0>";
  std::string text;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto [c, a, b] = axes[i].steps;
    text += fmt::format("{}detail::Selection<{}, {}, {}, {}>", text.empty() ? "" : ", ", axes[i].n, c, a, b);
  }
  return text;
}

CppRows cpp_selection_rows() {
  return {
      {"where",
       [](CppOpWriter& to) {
         return to.call("select", selected_axes({to.shape(0), to.shape(1), to.shape(2)}, to.result_shape()),
                        {to.operand(0), to.operand(1), to.operand(2)});
       }},
      {"logsumexp", [](CppOpWriter& to) { return to.call("log_sum_exp", reduced_axes(to), {to.operand(0)}); }},
      {"cumsum", write_cumsum},
  };
}

}  // namespace cornu::detail
