#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cornu/core/options/json.h"

/// The layers that Cornu has and Keras has, and how their options differ.
namespace cornu::keras::detail {

/// An option of Keras's that Cornu does not have.
struct Rule {
  std::string_view option;
  std::vector<Json> allowed{};    ///< the values that mean what Cornu does; null always does
  bool ignored = false;           ///< no value changes the result
  std::string_view cornu_name{};  ///< Cornu's name of the option, if it has another
};

/// A class of layers. Options without a rule have the names and the meaning of Cornu's.
struct LayerRow {
  std::string_view class_name;
  std::vector<Rule> rules{};
};

/// Null for a class that has no row.
const LayerRow* layer_row(std::string_view class_name);
std::span<const LayerRow> layer_rows();
/// The rule for an option, in the row or for all layers; null if there is none.
const Rule* rule_for(const LayerRow& row, std::string_view option);

/// How Keras calls Cornu's merges: "Add".
struct MergeRow {
  std::string_view class_name, merge;
};
/// Null for a class that does not merge.
const MergeRow* merge_row(std::string_view class_name);
std::span<const MergeRow> merge_rows();

/// The registered layers of Cornu that are not read, because Keras has none of the name, or that are read in another
/// way.
std::span<const std::string_view> layers_without_row();

}  // namespace cornu::keras::detail
