#include "cornu/models/export_cpp/calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "cornu/core/text/printable.h"

namespace cornu::detail {

CppValue CppCalls::make(const Shape& shape) {
  sizes_.push_back(shape.size());
  return {sizes_.size() - 1, shape, 0};
}

std::string in_comment(std::string_view name) {
  std::string result = printable(name);
  // A backslash at the end, or the trigraph ??/, would make the next line part of the comment, even before spaces.
  if (!result.empty() && std::string_view(" \\/").find(result.back()) != std::string_view::npos) result += '.';
  return result;
}

// ---- Memory ----

Index CppCalls::place(std::vector<Place>& places, const std::optional<CppValue>& output) const {
  places.resize(sizes_.size());
  for (std::size_t value = 0; value < places.size(); ++value) places[value].home = value;
  std::vector<std::size_t> last(sizes_.size());  // the last call that reads or writes the value
  const auto each_value = [](const Call& call, const auto& f) {
    for (const CppArgument& argument : call.arguments) {
      if (argument.value) f(*argument.value);
    }
    if (call.result) f(*call.result);
  };
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    each_value(calls_[now], [&](const CppValue& value) { last[value.number] = now; });
  }
  // A value that the call reads last, as a whole, and nowhere else in part.
  const auto is_given_up = [&](const Call& call, std::size_t now, const CppArgument& argument) {
    if (!argument.value || argument.value->number == 0 || last[argument.value->number] != now) return false;
    return std::all_of(call.arguments.begin(), call.arguments.end(), [&](const CppArgument& other) {
      return !other.value || other.value->number != argument.value->number ||
             (other.value->offset == 0 && other.value->shape.size() == sizes_[call.result->number] &&
              sizes_[other.value->number] == sizes_[call.result->number]);
    });
  };
  std::vector<bool> known(sizes_.size());  // of an earlier call
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    const Call& call = calls_[now];
    const bool is_new = call.result && !known[call.result->number];
    each_value(call, [&](const CppValue& value) { known[value.number] = true; });
    if (!call.may_overwrite || !is_new) continue;
    const std::size_t result = call.result->number;
    const auto taken = std::find_if(call.arguments.begin(), call.arguments.end(),
                                    [&](const CppArgument& argument) { return is_given_up(call, now, argument); });
    if (taken == call.arguments.end()) continue;
    places[result].home = places[taken->value->number].home;
    last[places[result].home] = last[result];
  }

  struct Taken {
    Index begin, end;
    std::size_t last;
  };
  std::vector<Taken> taken;
  std::vector<bool> placed(sizes_.size());
  placed[0] = true;
  if (output) placed[places[output->number].home] = true;
  Index workspace = 0;
  const auto place_at = [&](std::size_t now, const CppValue& value) {
    const std::size_t home = places[value.number].home;
    if (placed[home]) return;
    placed[home] = true;
    std::erase_if(taken, [&](const Taken& each) { return each.last < now; });
    std::sort(taken.begin(), taken.end(), [](const Taken& a, const Taken& b) { return a.begin < b.begin; });
    Index offset = 0;
    for (const Taken& each : taken) {
      if (offset + sizes_[home] <= each.begin) break;
      offset = each.end;
    }
    places[home].offset = offset;
    taken.push_back({offset, offset + sizes_[home], last[home]});
    workspace = std::max(workspace, offset + sizes_[home]);
  };
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    each_value(calls_[now], [&](const CppValue& value) { place_at(now, value); });
  }
  return workspace;
}

// ---- Text ----

CppCalls::Body CppCalls::body(const std::optional<CppValue>& output, std::string_view memory) const {
  std::vector<Place> places;
  Body body{"", place(places, output)};
  const auto name = [&](const CppValue& value) {
    const std::size_t home = places[value.number].home;
    const bool is_output = output && home == places[output->number].home;
    const Index offset = value.offset + (home == 0 || is_output ? 0 : places[home].offset);
    const std::string_view from = home == 0 ? "input" : is_output ? "output" : memory;
    return std::string(from) + (offset == 0 ? "" : fmt::format(" + {}", offset)) +
           (value.step == 0 ? "" : fmt::format(" + row * {}", value.step));
  };
  const bool reads_input = std::any_of(calls_.begin(), calls_.end(), [](const Call& call) {
    return std::any_of(call.arguments.begin(), call.arguments.end(),
                       [](const CppArgument& argument) { return argument.value && argument.value->number == 0; });
  });
  if (!reads_input) body.text += "  static_cast<void>(input);\n";
  const std::string* layer = nullptr;
  for (const Call& call : calls_) {
    if ((layer == nullptr || *layer != call.layer) && !call.layer.empty()) {
      body.text += "  // " + in_comment(call.layer) + "\n";
    }
    layer = &call.layer;
    if (call.rows > 1) body.text += fmt::format("  for (std::size_t row = 0; row < {}; ++row)\n  ", call.rows);
    body.text += "  " + call.before + "detail::" + call.function + "(";
    std::vector<std::string> arguments;
    for (const CppArgument& argument : call.arguments) {
      arguments.push_back((argument.value ? name(*argument.value) : "") + argument.text);
    }
    if (call.result) arguments.push_back(name(*call.result));
    body.text += fmt::format("{});\n", fmt::join(arguments, ", "));
  }
  return body;
}

}  // namespace cornu::detail
