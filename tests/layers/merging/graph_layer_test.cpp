#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/tests/support/expect_error.h"

namespace {

using namespace cornu;
using cornu::testing::expect_error;
using Merge = Graph::Merge;

/// A graph of two inputs, merged.
Graph merging_graph(Merge merge, Index axis = -1) { return Graph(2, {}, {{-1, {0, 1}, merge, axis}}, {2}); }

TEST(Graph, MergesAsTheNamesSay) {
  const std::vector<std::pair<Merge, std::vector<Real>>> cases{{Merge::add, {5, 3}},
                                                               {Merge::subtract, {-3, 1}},
                                                               {Merge::multiply, {4, 2}},
                                                               {Merge::average, {2.5, 1.5}},
                                                               {Merge::maximum, {4, 2}},
                                                               {Merge::minimum, {1, 1}},
                                                               {Merge::concatenate, {1, 2, 4, 1}}};
  for (const auto& [merge, expected] : cases) {
    const Sequential model{Inputs{{2}, {2}}, merging_graph(merge)};
    const Tensor y = model.predict(Tensor::matrix({{1, 2, 4, 1}}));
    EXPECT_EQ(std::vector<Real>(y.begin(), y.end()), expected) << option_names(merge)[static_cast<std::size_t>(merge)];
  }
}

TEST(Graph, PassesItsChecksWithSharedLayersAndSeveralOutputs) {
  const Graph graph(2, {{"shared", Dense{3, tanh}}, {"attention", MultiHeadAttention{.num_heads = 1, .key_dim = 2}}},
                    {{0, {0}}, {0, {1}}, {1, {2, 3}}, {-1, {4, 2}, Merge::add}}, {5, 3});
  const CheckReport report = check_layer(graph, Inputs{{2, 2}, {4, 2}});
  EXPECT_TRUE(report) << to_string(report);
  Sequential model{Inputs{{2, 2}, {4, 2}}, graph};
  EXPECT_EQ(model.output_shape(), Shape{2 * 3 + 4 * 3});
}

TEST(Graph, RefusesWhatDoesNotExist) {
  expect_error<ValueError>([] { Graph(1, {}, {{-1, {0, 1}, Merge::add}}, {1}); }, "Graph: value 1; there are 1");
  expect_error<ValueError>([] { Graph(1, {}, {{0, {0}}}, {1}); }, "Graph: layer 0; there are 0");
  expect_error<ValueError>([] { Graph(1, {{"", Dense{1}}}, {{0, {0}}}, {1}); }, "Graph: a Dense without a name");
  expect_error<ValueError>([] { Graph(1, {}, {{-1, {0}, Merge::add}}, {1}); }, "Graph: a call has 1 inputs");
  expect_error<ValueError>(
      [] {
        Graph(1, {}, {{-1, {0, 0}}}, {1});
      },
      "Graph: a call must have either a layer or a merge");
  expect_error<ValueError>([] { Graph(9, {}, {}, {0}); }, "Graph: 9 inputs; 1 to 8 are allowed");
  expect_error<ValueError>([] { merging_graph(Merge::concatenate, 0); }, "Graph: axis 0 is the batch axis");
  expect_error<ShapeError>(
      [] {
        Sequential{Inputs{{2}, {2, 2}}, merging_graph(Merge::add)};
      },
      "graph: Graph: values (1, 2) and (1, 2, 2) are merged; the same number of axes is required");
}

}  // namespace
