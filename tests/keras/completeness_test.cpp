#include <gtest/gtest.h>

#include <algorithm>

#include "cornu/cornu.h"
#include "cornu/keras/layer_reader.h"
#include "cornu/keras/layer_rows.h"
#include "cornu/layers/registry.h"
#include "cornu/tests/support/registered.h"

namespace {

using namespace cornu;

TEST(KerasCompleteness, EveryLayerIsReadOrKerasHasNone) {
  const auto without = keras::detail::layers_without_row();
  for (const std::string& name : cornu::testing::registered_layers) {
    if (name == "Sequential") continue;
    const bool has_row = keras::detail::layer_row(name) != nullptr;
    const bool has_none = std::find(without.begin(), without.end(), name) != without.end();
    EXPECT_NE(has_row, has_none) << name << " needs a row in keras/layer_rows.cpp, or an entry in layers_without_row";
  }
  for (const keras::detail::LayerRow& row : keras::detail::layer_rows()) {
    EXPECT_TRUE(detail::layer_registry().knows(row.class_name)) << row.class_name;
  }
}

TEST(KerasCompleteness, EveryOptionOfARowIsReadBack) {
  for (const keras::detail::LayerRow& row : keras::detail::layer_rows()) {
    SCOPED_TRACE(row.class_name);
    const AnyLayer layer = cornu::testing::with_defaults(detail::layer_registry(), std::string(row.class_name));
    Json json = detail::layer_registry().describe(layer, "layer");
    for (const auto& [option, value] : detail::object_of(json.at("config"))) {
      const keras::detail::Rule* const rule = keras::detail::rule_for(row, option);
      EXPECT_EQ(rule, nullptr) << option << " is an option of Cornu";
    }
    keras::detail::Lacks lacks;
    const auto read = keras::detail::read_layer(json, lacks);
    EXPECT_NO_THROW(lacks.require_none());
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(detail::layer_registry().describe(*read, "layer"), json);
  }
}

}  // namespace
