#include <fmt/format.h>

#include <algorithm>

#include "cornu/models/export_cpp/rows.h"

/// How ops that move elements are written.
namespace cornu::detail {

namespace {

CppValue write_reshape(CppOpWriter& to) {
  CppValue x = to.in_memory(0);
  x.shape = to.result_shape();
  return x;
}

CppValue write_transpose(CppOpWriter& to) {
  const Shape x = to.shape(0);
  const std::vector<Index>& axes = to.op().integers("axes");
  std::vector<Index> long_axes;
  std::copy_if(axes.begin(), axes.end(), std::back_inserter(long_axes), [&](Index axis) { return x[axis] > 1; });
  if (std::is_sorted(long_axes.begin(), long_axes.end())) return write_reshape(to);
  std::string templates;
  for (const Index axis : long_axes) {
    templates += fmt::format("{}detail::Along<{}, {}>", templates.empty() ? "" : ", ", x[axis], x.sub(axis + 1).size());
  }
  return to.call("transpose", templates, {to.operand(0)});
}

CppValue write_concatenate(CppOpWriter& to) {
  const Index axis = to.op().integer("axis");
  const CppValue y = to.make(to.result_shape());
  CppValue at = y;
  for (std::size_t i = 0; i < to.operand_count(); ++i) {
    const Shape x = to.shape(i);
    const Index width = x.sub(axis).size();
    to.call("copy", fmt::format("{}, {}, {}, {}", x.size() / width, width, width, y.shape.sub(axis).size()),
            {to.operand(i)}, at);
    at.offset += width;
  }
  return y;
}

CppValue write_slice_axis(CppOpWriter& to) {
  const Index axis = to.op().integer("axis"), begin = to.op().integer("begin");
  CppValue x = to.in_memory(0);
  const Shape y = to.result_shape();
  const Index stride = x.shape.sub(axis).size(), width = y.sub(axis).size();
  x.offset += begin * x.shape.sub(axis + 1).size();
  if (y.size() == width) {  // all in one place
    x.shape = y;
    return x;
  }
  return to.call("copy", fmt::format("{}, {}, {}, {}", y.size() / width, width, stride, width), {x});
}

CppValue write_flip(CppOpWriter& to) {
  const Shape x = to.shape(0);
  const Index axis = to.op().integer("axis");
  return to.call("flip", fmt::format("{}, {}, {}", x.sub(0, axis).size(), x[axis], x.sub(axis + 1).size()),
                 {to.operand(0)});
}

CppValue write_take(CppOpWriter& to) {
  const Shape table = to.shape(0);
  const Index width = table.sub(1).size();
  return to.call("look_up", fmt::format("{}, {}, {}", to.shape(1).size(), table[0], width),
                 {to.operand(1), to.weights(0, width)});
}

}  // namespace

CppRows cpp_shape_rows() {
  return {{"reshape", write_reshape},       {"transpose", write_transpose}, {"concatenate", write_concatenate},
          {"slice_axis", write_slice_axis}, {"flip", write_flip},           {"take", write_take}};
}

}  // namespace cornu::detail
