#include "cornu/models/run_callbacks.h"

#include <algorithm>
#include <array>
#include <string>

#include "cornu/models/distribution/model_state.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

namespace {

constexpr std::size_t hook_count = static_cast<std::size_t>(Hook::predict_batch_end) + 1;

/// Names and numbers of rank 0, as a name each before a line break, and the numbers.
void share(const Ranks& ranks, std::string& names, std::vector<double>& values) {
  ranks.share(names);
  std::size_t count = values.size();
  ranks.share(count);
  values.resize(count);
  ranks.share(std::span(values));
}

std::vector<std::string> lines_of(const std::string& names) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < names.size();) {
    const std::size_t end = names.find('\n', begin);
    lines.push_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

void share(const Ranks& ranks, Logs& logs) {
  if (ranks.alone()) return;
  std::string names;
  std::vector<double> values;
  for (const Logs::Entry& entry : logs) {
    names += entry.name;
    names += '\n';
    values.push_back(entry.value);
  }
  share(ranks, names, values);
  if (ranks.leads()) return;
  logs.clear();
  auto value = values.begin();
  for (const std::string& name : lines_of(names)) logs.set(name, *value++);
}

void share(const Ranks& ranks, History& history) {
  if (ranks.alone()) return;
  std::string names;
  std::vector<double> values;
  for (const auto& [name, own] : history.history) {
    names += name;
    names += '\n';
    values.push_back(static_cast<double>(own.size()));
    values.insert(values.end(), own.begin(), own.end());
  }
  share(ranks, names, values);
  std::size_t epochs = history.epoch.size();
  ranks.share(epochs);
  history.epoch.resize(epochs);
  ranks.share(std::span(history.epoch));
  if (ranks.leads()) return;
  history.history.clear();
  auto value = values.begin();
  for (const std::string& name : lines_of(names)) {
    const auto count = static_cast<std::ptrdiff_t>(*value++);
    history.history[name].assign(value, value + count);
    value += count;
  }
}

Callbacks::Callbacks(std::vector<AnyCallback>& all, Run& run, const Ranks& ranks)
    : all_(all), run_(run), ranks_(ranks), handled_(hook_count) {
  if (ranks.alone()) return;
  if (!ranks.leads()) std::erase_if(all, [](const AnyCallback& callback) { return !callback.on_every_rank(); });
  std::array<bool, hook_count> own{};
  for (std::size_t hook = 0; hook < hook_count; ++hook) {
    own[hook] = std::any_of(all.begin(), all.end(),
                            [&](const AnyCallback& callback) { return callback.handles(static_cast<Hook>(hook)); });
  }
  for (const auto& handled : ranks.of_all(own)) {
    for (std::size_t hook = 0; hook < hook_count; ++hook) handled_[hook] = handled_[hook] || handled[hook];
  }
}

void Callbacks::share(Hook hook, Logs& logs) const {
  if (hook == Hook::train_pause) return;  // saves, and changes nothing
  struct {
    bool stop_training, throw_on_non_finite;
    Index epoch, batch;
  } shared{run_.stop_training, run_.throw_on_non_finite, run_.epoch, run_.batch};
  ranks_.share(shared);
  run_.stop_training = shared.stop_training;
  run_.throw_on_non_finite = shared.throw_on_non_finite;
  run_.epoch = shared.epoch;
  run_.batch = shared.batch;
  if (shares_model_) share_model(ranks_, SequentialState::of(run_.model));
  if (hook == Hook::epoch_end) detail::share(ranks_, logs);
  if (hook == Hook::train_resume && run_.history != nullptr) detail::share(ranks_, *run_.history);
}

}  // namespace cornu::detail
