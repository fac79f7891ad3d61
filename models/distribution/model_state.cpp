#include "cornu/models/distribution/model_state.h"

#include <algorithm>
#include <cstring>

#include "cornu/core/error.h"
#include "cornu/formats/json.h"
#include "cornu/optim/registry.h"

namespace cornu::detail {

namespace {

/// FNV-1a over words of 64 bits, the last one filled up with zeros.
class Hash {
 public:
  void add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      std::uint64_t word = 0;
      const std::size_t count = std::min(bytes.size(), sizeof word);
      std::memcpy(&word, bytes.data(), count);
      value_ = (value_ ^ word) * 0x100000001b3;
      value_ ^= value_ >> 32;
      bytes = bytes.subspan(count);
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

std::span<Real> numbers_of(Tensor& tensor) { return {tensor.data(), static_cast<std::size_t>(tensor.size())}; }

/// Calls `visit` with the numbers of all values: each parameter, then the optimizer's state.
void visit_values(SequentialState& model, auto visit) {
  for (const NamedParameter& named : model.parameters()) visit(numbers_of(named.parameter->value));
  if (!model.optimizer) return;
  for (Tensor& state : model.optimizer->state()) visit(numbers_of(state));
}

/// The numbers that the values do not show.
struct Counts {
  Index iterations = 0;
  Seen seen;
};

Counts counts_of(const SequentialState& model) {
  return {model.optimizer ? model.optimizer->iterations() : 0, model.seen};
}

std::vector<char> frozen_parameters(SequentialState& model) {
  std::vector<char> frozen;
  for (const NamedParameter& named : model.parameters()) frozen.push_back(named.parameter->frozen ? 1 : 0);
  return frozen;
}

std::string learning_rate_of(const SequentialState& model) {
  if (!model.optimizer || !model.optimizer->replaced_learning_rate()) return {};
  Json json;
  to_json(json, *model.optimizer->replaced_learning_rate());
  return to_string(json);
}

void share_learning_rate(const Ranks& ranks, SequentialState& model) {
  std::string own, shared;
  ranks.run([&] { own = learning_rate_of(model); });
  shared = own;
  ranks.share(shared);
  if (!shared.empty() && shared != own) {
    model.optimizer->set_learning_rate(value_of<LearningRate>(parse_json(shared)));
  }
}

/// The first rank whose value differs from rank 0's, or 0.
template <class T>
std::size_t differing(const std::vector<T>& values) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const T& value) { return value != values.front(); });
  return found == values.end() ? 0 : static_cast<std::size_t>(found - values.begin());
}

}  // namespace

std::uint64_t fingerprint(SequentialState& model) {
  Hash hash;
  visit_values(model, [&](std::span<const Real> values) { hash.add(std::as_bytes(values)); });
  const Counts counts = counts_of(model);
  hash.add(std::as_bytes(std::span(&counts, 1)));
  const std::vector<char> frozen = frozen_parameters(model);
  hash.add(std::as_bytes(std::span(frozen)));
  return hash.value();
}

void share_model(const Ranks& ranks, SequentialState& model) {
  if (ranks.alone()) return;
  share_learning_rate(ranks, model);
  std::vector<std::uint64_t> sizes;
  Hash shapes;
  visit_values(model, [&](std::span<const Real> values) { sizes.push_back(values.size()); });
  shapes.add(std::as_bytes(std::span(sizes)));
  const std::size_t other = differing(ranks.of_all(shapes.value()));
  require<StateError>(other == 0, "{}: the model of rank {} has other parameters than that of rank 0", model.name,
                      other);
  if (differing(ranks.of_all(fingerprint(model))) == 0) return;
  visit_values(model, [&](std::span<Real> values) { ranks.share(values); });
  Counts counts = counts_of(model);
  ranks.share(counts);
  model.seen = counts.seen;
  if (model.optimizer) model.optimizer->set_iterations(counts.iterations);
  std::vector<char> frozen = frozen_parameters(model);
  ranks.share(std::span(frozen));
  auto next = frozen.begin();
  for (const NamedParameter& named : model.parameters()) named.parameter->frozen = *next++ != 0;
}

void average_model(const Ranks& ranks, SequentialState& model) {
  const auto part = Real{1} / static_cast<Real>(ranks.size());
  visit_values(model, [&](std::span<Real> values) {
    for (Real& value : values) value *= part;
    ranks.communicator().begin_sum(values);
  });
  ranks.communicator().finish_sums();
}

void require_same_model(const Ranks& ranks, SequentialState& model) {
  if (ranks.alone()) return;
  const std::size_t other = differing(ranks.of_all(fingerprint(model)));
  require<StateError>(other == 0,
                      "{}: the weights of rank {} differ from those of rank 0 (does a layer, a metric or a callback do "
                      "something else on each rank?)",
                      model.name, other);
}

void require_same(const Ranks& ranks, const std::vector<std::pair<std::string, std::string>>& facts) {
  if (ranks.alone()) return;
  std::string text;
  for (const auto& [name, fact] : facts) {
    for (const std::string& part : {name, fact}) {
      text += part;
      text += '\0';
    }
  }
  const std::vector<std::string> all = ranks.of_all(text);
  const std::size_t other = differing(all);
  if (other == 0) return;
  const auto parts = [](const std::string& joined) {
    std::vector<std::string> result;
    for (std::size_t begin = 0; begin < joined.size();) {
      const std::size_t end = joined.find('\0', begin);
      result.push_back(joined.substr(begin, end - begin));
      begin = end + 1;
    }
    return result;
  };
  const std::vector<std::string> ours = parts(all.front()), theirs = parts(all[other]);
  std::size_t i = 0;
  while (i + 1 < std::min(ours.size(), theirs.size()) && ours[i + 1] == theirs[i + 1]) i += 2;
  const auto at = [](const std::vector<std::string>& list, std::size_t index) {
    return index < list.size() ? list[index] : std::string();
  };
  throw ValueError(message("rank {} of {} differs from rank 0: {} is {}, not {}", other, ranks.size(), at(ours, i),
                           at(theirs, i + 1), at(ours, i + 1)));
}

}  // namespace cornu::detail
