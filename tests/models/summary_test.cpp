#include <gtest/gtest.h>

#include <string_view>
#include <type_traits>

#include "cornu/layers/merging/residual.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/tests/models/support.h"

// The table of the layers as Keras 3.16 prints it on a terminal with 80 columns.

namespace cornu {
namespace {

constexpr bool is_float = std::is_same_v<Real, float>;

/// The lines below the table.
std::string totals(const Sequential& model) {
  const std::string text = to_string(model);
  return text.substr(text.find(" Total params"));
}

TEST(Summary, IsKerasTable) {
  const Sequential model{Input{784}, Dense{128, relu}, Dense{10, softmax}};
  const std::string table = R"(Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ (None, 128)            │       100,480 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         1,290 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
)";
  EXPECT_EQ(to_string(model), table + (is_float ? R"( Total params: 101,770 (397.54 KB)
 Trainable params: 101,770 (397.54 KB)
 Non-trainable params: 0 (0.00 B)
)"
                                                : R"( Total params: 101,770 (795.08 KB)
 Trainable params: 101,770 (795.08 KB)
 Non-trainable params: 0 (0.00 B)
)"));
}

TEST(Summary, OfAnUnbuiltModelMarksUnknownShapes) {
  const Sequential model({Dense{64, relu}, Dense{10}, Softmax{}}, {.name = "later"});
  EXPECT_EQ(to_string(model), R"(Model: "later"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ dense (Dense)                   │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ softmax (Softmax)               │ ?                      │   0 (unbuilt) │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
)");
}

/// The rows of the table's body, without the rules between them.
std::vector<std::string> rows_of(const Sequential& model, const SummaryOptions& options = {}) {
  const std::string text = to_string(model, options);
  std::vector<std::string> rows;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    if (line.starts_with("│")) rows.push_back(line);
    begin = end + 1;
  }
  return rows;
}

using TableRows = std::vector<std::string>;

TEST(Summary, LongTextWrapsToTheNextLine) {
  const Sequential model{Input{2},
                         {"a_name_of_exactly_23_ch", Dense{1}},
                         {"a_name_of_exactly_24_cha", Dense{1}},
                         {"a_name_that_is_longer_than_the_column_is_wide", Dense{1}},
                         {"größte_Aktivierung_der_Schicht_ä", ReLU{}}};
  EXPECT_EQ(rows_of(model),
            (TableRows{"│ a_name_of_exactly_23_ch (Dense) │ (None, 1)              │             3 │",
                       "│ a_name_of_exactly_24_cha        │ (None, 1)              │             2 │",
                       "│ (Dense)                         │                        │               │",
                       "│ a_name_that_is_longer_than_the_ │ (None, 1)              │             2 │",
                       "│ column_is_wide (Dense)          │                        │               │",
                       "│ größte_Aktivierung_der_Schich   │ (None, 1)              │             0 │",
                       "│ t_ä (ReLU)                      │                        │               │"}));
}

TEST(Summary, ShapesHaveAllTheirDimensions) {
  const Sequential model{Input{28, 28, 3}, ReLU{}, Flatten{}, Dropout{0.1}};
  EXPECT_EQ(rows_of(model),
            (TableRows{"│ re_lu (ReLU)                    │ (None, 28, 28, 3)      │             0 │",
                       "│ flatten (Flatten)               │ (None, 2352)           │             0 │",
                       "│ dropout (Dropout)               │ (None, 2352)           │             0 │"}));
}

TEST(Summary, AModelInsideIsOneRow) {
  const Sequential model{Input{4}, Sequential({Dense{8}, Dense{4}}, {.name = "encoder"}), Dense{2}};
  EXPECT_EQ(rows_of(model),
            (TableRows{"│ encoder (Sequential)            │ (None, 4)              │            76 │",
                       "│ dense (Dense)                   │ (None, 2)              │            10 │"}));
}

TEST(Summary, ShowsLayersInsideOthersOnRequest) {
  const Sequential model{Input{4}, Sequential({Residual{Dense{4}}, Dense{3}}, {.name = "encoder"}), Dense{2}};
  EXPECT_EQ(rows_of(model, {.expand_nested = true}),
            (TableRows{"│ encoder (Sequential)            │ (None, 3)              │            35 │",
                       "│    └ residual (Residual)        │ (None, 4)              │            20 │",
                       "│       └ dense (Dense)           │ (None, 4)              │            20 │",
                       "│    └ dense (Dense)              │ (None, 3)              │            15 │",
                       "│ dense (Dense)                   │ (None, 2)              │             8 │"}));
}

TEST(Summary, OfAStructShowsTheLayersThatItOwns) {
  struct Shared {
    AnyLayer wide = Dense{8}, narrow = Dense{4};
    Var forward(Var x) const { return narrow(wide(narrow(wide(x)))); }
    NamedLayers layers() { return {{"wide", &wide}, {"narrow", &narrow}}; }
  };
  const Sequential model{Input{4}, Shared{}};
  EXPECT_EQ(rows_of(model),
            (TableRows{"│ shared (Shared)                 │ (None, 4)              │            76 │",
                       "│    └ wide (Dense)               │ (None, 8)              │            40 │",
                       "│    └ narrow (Dense)             │ (None, 4)              │            36 │"}));
  EXPECT_TRUE(totals(model).starts_with(" Total params: 76 "));
  EXPECT_EQ(rows_of(Sequential{Shared{}}),
            TableRows{"│ shared (Shared)                 │ ?                      │   0 (unbuilt) │"});
}

TEST(Summary, WithoutLayersIsAnEmptyTable) {
  EXPECT_TRUE(rows_of(Sequential()).empty());
  EXPECT_TRUE(totals(Sequential()).starts_with(" Total params: 0 (0.00 B)\n"));
}

TEST(Summary, CountsParametersThatAreNotTrained) {
  Sequential model{Input{10}, Dense{20}, Dense{5}};
  model.get_layer("dense").as<Dense>()->kernel.trainable = false;
  EXPECT_EQ(totals(model), is_float ? " Total params: 325 (1.27 KB)\n"
                                      " Trainable params: 125 (500.00 B)\n"
                                      " Non-trainable params: 200 (800.00 B)\n"
                                    : " Total params: 325 (2.54 KB)\n"
                                      " Trainable params: 125 (1000.00 B)\n"
                                      " Non-trainable params: 200 (1.56 KB)\n");
}

TEST(Summary, CountsTheOptimizersStateOnceThereIsAny) {
  Sequential model{Input{784}, Dense{128, relu}, Dense{10, softmax}};
  model.compile({.optimizer = SGD{.momentum = 0.9}, .loss = SparseCategoricalCrossentropy{}});
  EXPECT_TRUE(totals(model).starts_with(" Total params: 101,770 "));
  EXPECT_EQ(totals(model).find("Optimizer"), std::string::npos);
  model.train_on_batch(testing::normal({4, 784}), testing::labels(4, 10));
  EXPECT_EQ(totals(model), is_float ? " Total params: 203,540 (795.08 KB)\n"
                                      " Trainable params: 101,770 (397.54 KB)\n"
                                      " Non-trainable params: 0 (0.00 B)\n"
                                      " Optimizer params: 101,770 (397.54 KB)\n"
                                    : " Total params: 203,540 (1.55 MB)\n"
                                      " Trainable params: 101,770 (795.08 KB)\n"
                                      " Non-trainable params: 0 (0.00 B)\n"
                                      " Optimizer params: 101,770 (795.08 KB)\n");
}

TEST(Summary, OfAnOptimizerWithoutStateHasNoLineForIt) {
  Sequential model = testing::classifier();
  model.train_on_batch(testing::normal({4, 2}), testing::labels(4));
  EXPECT_EQ(totals(model).find("Optimizer"), std::string::npos);
}

TEST(Summary, IsPrintedToStandardOutput) {
  const Sequential model = testing::classifier();
  ::testing::internal::CaptureStdout();
  model.summary();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), to_string(model));
}

}  // namespace
}  // namespace cornu
