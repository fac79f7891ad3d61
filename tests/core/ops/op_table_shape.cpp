#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

template <class F>
Sample sample(const std::string& what, const std::vector<Shape>& inputs, F f,
              const std::function<Exact(std::span<const Exact>)>& expected) {
  return {what, inputs, [f](std::span<const Var> x) { return f(x); }, [f](std::span<const Tensor> x) { return f(x); },
          expected};
}

/// `given`: the dimensions as written in the call, -1 for the inferred one.
template <class... Dimensions>
Sample reshape_sample(const Shape& from, const Shape& to, Dimensions... given) {
  return sample(
      message("reshape of {} to {}", from, to), {from}, [=](auto x) { return reshape(x[0], {Index{given}...}); },
      [to](auto x) { return reshape_reference(x[0], to); });
}

OpRow reshape_row() {
  OpRow row{.op = "reshape",
            .name = "Reshape",
            .ranges = {around_zero},
            .samples = {reshape_sample({6}, {2, 3}, 2, 3), reshape_sample({2, 3}, {3, 2}, -1, 2),
                        reshape_sample({2, 3, 4}, {24}, -1), reshape_sample({1}, {}), reshape_sample({}, {1, 1}, 1, -1),
                        reshape_sample({0, 3}, {0}, -1), reshape_sample({2, 0}, {0, 5}, -1, 5),
                        reshape_sample({0}, {0, 0, 7}, 0, 0, 7), reshape_sample({2, 1, 3, 1, 2}, {3, 4}, 3, -1),
                        reshape_sample({12}, {2, 1, 3, 1, 2}, 2, 1, 3, 1, 2)},
            .errors = {{"reshape: (2, 3) has 6 elements, (4,) has 4",
                        [](Tape& t) {
                          reshape(of(t, {2, 3}), {4});
                        }},
                       {"reshape: (2, 3) has 6 elements, (7,) has 7",
                        [](Tape& t) {
                          reshape(of(t, {2, 3}), Shape{7});
                        }},
                       {"reshape of (2, 3): its 6 elements are not divisible by 4",
                        [](Tape& t) {
                          reshape(of(t, {2, 3}), {4, -1});
                        }},
                       {"reshape of (0, 3): its 0 elements are not divisible by 0",
                        [](Tape& t) {
                          reshape(of(t, {0, 3}), {0, -1});
                        }},
                       {"reshape of (2, 3): only one dimension can be -1",
                        [](Tape& t) {
                          reshape(of(t, {2, 3}), {-1, -1});
                        }},
                       {"reshape of (2, 3): dimension 1 is -2; give -1 or a size that fits",
                        [](Tape& t) {
                          reshape(of(t, {2, 3}), {3, -2});
                        }},
                       {"reshape of (2, 3): dimension 2 is 4611686018427387904; give -1 or a size that fits",
                        [](Tape& t) {
                          reshape(of(t, {2, 3}), {-1, 2, Index{1} << 62});
                        }},
                       {"reshape: 9 dimensions; at most 8 are possible", [](Tape& t) {
                          reshape(of(t, {1}), {1, 1, 1, 1, 1, 1, 1, 1, 1});
                        }}}};
  return row;
}

Sample steps_sample(const Shape& from, const Shape& to) {
  return sample(
      message("steps of {} as samples", from), {from}, [](auto x) { return steps_as_samples(x[0]); },
      [to](auto x) { return reshape_reference(x[0], to); });
}

OpRow steps_row() {
  return {.op = "steps_as_samples",
          .name = "StepsAsSamples",
          .ranges = {around_zero},
          .samples = {steps_sample({2, 3}, {6}), steps_sample({2, 3, 4}, {6, 4}), steps_sample({1, 2, 3, 2}, {2, 3, 2}),
                      steps_sample({0, 2, 3}, {0, 3}), steps_sample({3, 0, 2}, {0, 2}), steps_sample({3, 1, 2}, {3, 2}),
                      steps_sample({1, 1}, {1}), steps_sample({2, 2, 1, 3, 2}, {4, 1, 3, 2})},
          .errors = {{"steps_as_samples: x of shape (4,); (batch, steps, ...) is required",
                      [](Tape& t) { steps_as_samples(of(t, {4})); }}}};
}

template <class... Axes>
Sample transpose_sample(const Shape& shape, Axes... axes) {
  return sample(
      message("transpose of {}", shape), {shape}, [=](auto x) { return transpose(x[0], {Index{axes}...}); },
      [=](auto x) { return transpose_reference(x[0], {Index{axes}...}); });
}

OpRow transpose_row() {
  OpRow row{.op = "transpose",
            .name = "Transpose",
            .ranges = {around_zero},
            .samples = {transpose_sample({}), transpose_sample({3}, 0), transpose_sample({3, 5}, 1, 0),
                        transpose_sample({3, 5}, -2, -1), transpose_sample({0, 3}, 1, 0),
                        transpose_sample({2, 3, 4}, 2, 0, 1), transpose_sample({2, 3, 4}, 0, -1, 1),
                        transpose_sample({2, 3, 4}, 1, 0, 2), transpose_sample({2, 1, 3, 1, 2}, 4, 1, 0, 3, 2),
                        transpose_sample({2, 3, 2, 3, 2}, 3, 0, 4, 2, 1)},
            .errors = {{"transpose of (2, 3): 1 axes given; it has 2",
                        [](Tape& t) {
                          transpose(of(t, {2, 3}), {0});
                        }},
                       {"transpose of (2, 3): axis -1 is given twice",
                        [](Tape& t) {
                          transpose(of(t, {2, 3}), {1, -1});
                        }},
                       {"axis 2 is out of range for shape (2, 3) of rank 2", [](Tape& t) {
                          transpose(of(t, {2, 3}), {0, 2});
                        }}}};
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{3, 5}, Shape{1, 0}, Shape{2, 3, 4}, Shape{2, 1, 3, 1, 2}}) {
    row.samples.push_back(sample(
        message("transpose of {}", shape), {shape}, [](auto x) { return transpose(x[0]); },
        [shape](auto x) {
          std::vector<Index> axes;
          for (Index axis = shape.rank(); axis-- > 0;) axes.push_back(axis);
          return transpose_reference(x[0], axes);
        }));
  }
  return row;
}

Sample concatenate_sample(const std::vector<Shape>& shapes, Index axis) {
  return sample(
      message("concatenate {} values like {} at axis {}", shapes.size(), shapes[0], axis), shapes,
      [axis](auto x) { return concatenate(x, axis); }, [axis](auto x) { return concatenate_reference(x, axis); });
}

OpRow concatenate_row() {
  OpRow row{
      .op = "concatenate",
      .name = "Concatenate",
      .ranges = {around_zero},
      .samples = {concatenate_sample({{3}}, 0), concatenate_sample({{1}, {2}, {3}}, -1),
                  concatenate_sample({{0}, {2}}, 0), concatenate_sample({{0}, {0}}, 0),
                  concatenate_sample({{2, 3}, {4, 3}}, 0), concatenate_sample({{2, 3}, {2, 1}, {2, 0}}, 1),
                  concatenate_sample({{0, 3}, {0, 2}}, 1), concatenate_sample({{2, 3, 4}, {2, 1, 4}}, -2),
                  concatenate_sample({{2, 1, 3, 1, 2}, {2, 1, 3, 4, 2}}, 3)},
      .errors = {{"concatenate: there is nothing to concatenate", [](Tape&) { concatenate(std::span<const Var>()); }},
                 {"concatenate: shapes (2, 3) and (4, 3) must be equal except along axis 1",
                  [](Tape& t) {
                    concatenate({of(t, {2, 3}), of(t, {4, 3})});
                  }},
                 {"concatenate: shapes (2, 3) and (2,) must be equal except along axis 0",
                  [](Tape& t) {
                    concatenate({of(t, {2, 3}), of(t, {2})}, 0);
                  }},
                 {"axis -1 is out of range for shape () of rank 0", [](Tape& t) {
                    concatenate({of(t, {}), of(t, {})});
                  }}}};
  return row;
}

/// Positions [begin, end) as given, possibly negative, and the same counted from the start.
Sample slice_sample(const Shape& shape, Index axis, Index begin, Index end, Index from, Index to) {
  return sample(
      message("slice_axis [{}, {}) of {} at axis {}", begin, end, shape, axis), {shape},
      [=](auto x) { return slice_axis(x[0], axis, begin, end); },
      [=](auto x) { return slice_reference(x[0], axis, from, to); });
}

OpRow slice_row() {
  return {
      .op = "slice_axis",
      .name = "Slice",
      .ranges = {around_zero},
      .samples = {slice_sample({7}, 0, 2, 5, 2, 5), slice_sample({7}, -1, -3, -1, 4, 6),
                  slice_sample({7}, 0, 3, 3, 3, 3), slice_sample({1}, 0, 0, 1, 0, 1), slice_sample({0}, 0, 0, 0, 0, 0),
                  slice_sample({3, 5}, 0, 1, 3, 1, 3), slice_sample({3, 5}, 1, 0, -1, 0, 4),
                  slice_sample({3, 0}, 0, 1, 2, 1, 2), slice_sample({0, 3}, 1, 1, 2, 1, 2),
                  slice_sample({2, 3, 4}, 1, 1, 2, 1, 2), slice_sample({2, 1, 3, 4, 2}, 3, 1, 3, 1, 3)},
      .errors = {{"slice_axis: [1, 4) is not a range of the 3 positions of axis 0 of shape (3, 5)",
                  [](Tape& t) {
                    slice_axis(of(t, {3, 5}), 0, 1, 4);
                  }},
                 {"slice_axis: [2, 1) is not a range of the 3 positions of axis -2 of shape (3, 5)",
                  [](Tape& t) {
                    slice_axis(of(t, {3, 5}), -2, 2, 1);
                  }},
                 {"slice_axis: [-4, 1) is not a range of the 3 positions of axis 0 of shape (3, 5)",
                  [](Tape& t) {
                    slice_axis(of(t, {3, 5}), 0, -4, 1);
                  }},
                 {"axis 0 is out of range for shape () of rank 0", [](Tape& t) { slice_axis(of(t, {}), 0, 0, 0); }}},
      .uses_every_element = false};
}

Sample flip_sample(const Shape& shape, Index axis) {
  return sample(
      message("flip of {} at axis {}", shape, axis), {shape}, [=](auto x) { return flip(x[0], axis); },
      [=](auto x) {
        const Index at = shape.normalized(axis);
        Exact y = slice_reference(x[0], at, 0, 0);
        for (Index i = shape[at]; i-- > 0;) {
          const Exact both[] = {y, slice_reference(x[0], at, i, i + 1)};
          y = concatenate_reference(both, at);
        }
        return y;
      });
}

OpRow flip_row() {
  return {.op = "flip",
          .name = "Flip",
          .ranges = {around_zero},
          .samples = {flip_sample({5}, 0), flip_sample({1}, 0), flip_sample({0}, 0), flip_sample({3, 4}, 0),
                      flip_sample({3, 4}, -1), flip_sample({2, 3, 4}, 1), flip_sample({2, 0, 4}, 1),
                      flip_sample({0, 3}, 1), flip_sample({2, 1, 3, 1, 2}, -3)},
          .errors = {{"axis 2 is out of range for shape (3, 5) of rank 2", [](Tape& t) {
                        flip(of(t, {3, 5}), 2);
                      }}}};
}

/// The indices are not an input of the gradient check: take is undefined between whole numbers.
OpRow take_row() {
  OpRow row{.op = "take", .name = "Take", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& table, const Tensor& indices) {
    row.samples.push_back({message("take {} rows of {}", indices.shape(), table),
                           {table},
                           [=](std::span<const Var> x) { return take(x[0], x[0].tape().constant(indices)); },
                           [=](std::span<const Tensor> x) { return take(x[0], indices); },
                           [=](std::span<const Exact> x) {
                             const Index width = table.sub(1).size();
                             Exact y(indices.shape());
                             for (Index axis = 1; axis < table.rank(); ++axis) {
                               y.shape = y.shape.inserted(y.shape.rank(), table[axis]);
                             }
                             y.values.clear();
                             for (const Real index : indices) {
                               const auto first = x[0].values.begin() + static_cast<Index>(index) * width;
                               y.values.insert(y.values.end(), first, first + width);
                             }
                             return y;
                           }});
  };
  add({3, 4}, Tensor::vector({0, 2, 1}));
  add({3, 4}, Tensor::vector({1, 1, 1, 0}));
  add({3, 4}, Tensor::matrix({{2, 0}, {2, 1}}));
  add({1, 1}, Tensor::vector({0}));
  add({5}, Tensor::vector({4, 4, 0}));
  add({4, 2, 3}, Tensor::matrix({{3}, {1}}));
  add({2, 3}, Tensor::scalar(1));
  add({2, 3}, Tensor(Shape{0}));
  add({2, 0}, Tensor::vector({1, 0}));
  add({2, 1, 2}, Tensor({1, 2, 1}, {0, 1}));
  row.uses_every_element = false;
  row.errors = {
      {"take: the table is a scalar, which has no rows", [](Tape& t) { take(of(t, {}), of(t, {1})); }},
      {"shape (1, 1, 2, 2, 2, 1, 1, 1) has 8 dimensions, the maximum; no dimension can be added", [](Tape& t) {
         take(of(t, {1, 2, 2, 2, 1, 1, 1, 2}), of(t, {1, 1}));
       }}};
  return row;
}

}  // namespace

std::vector<OpRow> shape_rows() {
  return {reshape_row(), steps_row(), transpose_row(), concatenate_row(), slice_row(), flip_row(), take_row()};
}

}  // namespace cornu::testing
