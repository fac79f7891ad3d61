#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "cornu/core/text/printable.h"
#include "cornu/core/text/write_text.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

namespace {

/// A table as Keras draws it, 76 columns wide: heavy lines around the header, light lines below.
class Table {
 public:
  using Row = std::array<std::string, 3>;

  explicit Table(const Row& head) {
    rule("┏", "━", "┳", "┓");
    line("┃", head);
    rule("┡", "━", "╇", "┩");
  }

  void add(const Row& row) {
    if (rows_++ > 0) rule("├", "─", "┼", "┤");
    line("│", {detail::printable(row[0]), row[1], row[2]});
  }

  std::string finished() {
    rule("└", "─", "┴", "┘");
    return std::move(text_);
  }

 private:
  static constexpr std::array<std::size_t, 3> widths{31, 22, 13};  // without the space on either side

  void rule(const char* left, const char* dash, const char* cross, const char* right) {
    text_ += left;
    for (std::size_t column = 0; column < widths.size(); ++column) {
      if (column > 0) text_ += cross;
      for (std::size_t i = 0; i < widths[column] + 2; ++i) text_ += dash;
    }
    text_ += right;
    text_ += '\n';
  }

  /// Removes the first line's worth of text and returns it: whole words, unless a single word is too long.
  static std::string take_line(std::string& text, std::size_t width) {
    if (text.size() <= width) return std::exchange(text, "");
    const std::size_t blank = text.rfind(' ', width);
    const bool has_blank = blank != std::string::npos && blank > 0;
    std::size_t end = has_blank ? blank : width;
    while (end > 1 && (text[end] & 0xC0) == 0x80) --end;  // not in the middle of a UTF-8 character
    std::string line = text.substr(0, end);
    text.erase(0, has_blank ? end + 1 : end);
    return line;
  }

  void line(const char* bar, Row row) {
    do {
      text_ += bar;
      for (std::size_t column = 0; column < widths.size(); ++column) {
        const std::string part = take_line(row[column], widths[column]);
        const std::size_t width = widths[column];
        text_ += column == 2 ? fmt::format(" {:>{}} ", part, width) : fmt::format(" {:<{}} ", part, width);
        text_ += bar;
      }
      text_ += '\n';
    } while (std::any_of(row.begin(), row.end(), [](const std::string& rest) { return !rest.empty(); }));
  }

  std::string text_;
  std::size_t rows_ = 0;
};

/// Formats 1234567 as "1,234,567".
std::string with_commas(Index number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<Index>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

/// The memory of that many elements, formatted as in Keras: "397.54 KB", where 1 KB is 1024 bytes.
std::string memory(Index numbers) {
  auto bytes = static_cast<double>(numbers) * static_cast<double>(sizeof(Real));
  const std::array<const char*, 5> units{"B", "KB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  return fmt::format("{:.2f} {}", bytes, units[unit]);
}

std::string count_line(const char* what, Index numbers) {
  return fmt::format(" {}: {} ({})\n", what, with_commas(numbers), memory(numbers));
}

/// Shape with an unknown batch axis: "(None, 28, 28)". 0 is an axis of any length.
std::string batch_shape(const Shape& shape) {
  std::string result = "(None";
  for (const Index dimension : shape.dimensions())
    result += ", " + (dimension == 0 ? "None" : std::to_string(dimension));
  return result + (shape.rank() == 0 ? ",)" : ")");
}

Index size_of(const AnyLayer& layer) {
  Index result = 0;
  for (const auto& [name, parameter] : layer.parameters()) result += parameter->value.size();
  return result;
}

/// Output shape of each layer in its first call, with 0 for an axis of any length.
struct OutputShapes final : detail::LayerObserver {
  std::map<const AnyLayer*, Shape> of;

  explicit OutputShapes(const Sequential& model) {
    const auto& state = detail::SequentialState::of(model);
    for (const std::vector<Shape>* const shapes : {&state.shapes, &state.other_shapes}) {
      if (shapes->empty()) continue;
      const Tensor sample(shapes->front().batched(1));
      Tape tape(Mode::inference);
      tape.observe_layers(this);
      state.forward(tape.input(sample));
      is_first_ = false;
    }
  }
  void before(const AnyLayer&, std::span<const Var>) override {}
  void after(const AnyLayer& layer, Var output) override {
    const Shape shape = output.shape().sub(1);
    if (is_first_) {
      of.emplace(&layer, shape);
    } else if (seen_again_.insert(&layer).second) {
      of.at(&layer) = detail::common_pattern(of.at(&layer), shape);
    }
  }

 private:
  bool is_first_ = true;
  std::set<const AnyLayer*> seen_again_;
};

/// Adds rows for the layers inside others, recursively.
void add_nested(Table& table, const NamedLayers& layers, const OutputShapes& shapes, const std::string& indent) {
  for (const auto& [name, layer] : layers) {
    const auto found = shapes.of.find(layer);
    table.add({fmt::format("{}└ {} ({})", indent, name, layer->type()),
               found == shapes.of.end() ? "?" : batch_shape(found->second), with_commas(size_of(*layer))});
    add_nested(table, layer->layers(), shapes, indent + "   ");
  }
}

}  // namespace

std::string to_string(const Sequential& model, const SummaryOptions& options) {
  Table table({"Layer (type)", "Output Shape", "Param #"});
  std::optional<OutputShapes> shapes;
  if (model.built() && (options.expand_nested || model.layer_count() == 1)) shapes.emplace(model);
  for (Index i = 0; i < model.layer_count(); ++i) {
    const AnyLayer& layer = model.get_layer(i);
    table.add({fmt::format("{} ({})", layer.name(), layer.type()),
               model.built() ? batch_shape(model.output_shape(i)) : "?",
               model.built() ? with_commas(size_of(layer)) : "0 (unbuilt)"});
    if (shapes) add_nested(table, layer.layers(), *shapes, "   ");
  }
  Index trainable = 0, fixed = 0;
  for (const auto& [name, parameter] : model.parameters()) {
    (parameter->learns() ? trainable : fixed) += parameter->value.size();
  }
  const Index optimizer = model.optimizer_params();
  std::string text = fmt::format("Model: \"{}\"\n{}", detail::printable(model.name()), table.finished());
  text += count_line("Total params", trainable + fixed + optimizer);
  text += count_line("Trainable params", trainable);
  text += count_line("Non-trainable params", fixed);
  if (optimizer > 0) text += count_line("Optimizer params", optimizer);
  return text;
}

Index Sequential::optimizer_params() const {
  Index count = 0;
  if (state_->optimizer) {
    for (const Tensor& slot : state_->optimizer->state()) count += slot.size();
  }
  return count;
}

void Sequential::summary(const SummaryOptions& options) const { detail::write_text(stdout, to_string(*this, options)); }

}  // namespace cornu
