#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/optim/shared_step.h"

namespace cornu {

namespace {

/// The squared Euclidean norm, summed in double.
double squared_norm(const View& x) {
  std::array<double, 8> sums{};  // independent sums hide the latency of addition
  const Real* from = x.begin();
  for (; x.end() - from >= 8; from += 8) {
    for (std::size_t k = 0; k < 8; ++k) sums[k] += static_cast<double>(from[k]) * static_cast<double>(from[k]);
  }
  for (; from != x.end(); ++from) sums[0] += static_cast<double>(*from) * static_cast<double>(*from);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// Scales x by limit / norm if norm exceeds limit. `norm` is that of x or of all gradients together.
void limit_norm(const View& x, double norm, double limit) {
  if (norm <= limit) return;
  const auto factor = static_cast<Real>(limit / norm);
  for (Real& value : x) value *= factor;
}

/// A range of rows of a parameter and its gradient: `count` rows of `width` elements, beginning at row `first`.
struct Rows {
  Index first = 0, count = 0, width = 0;

  View of(const View& whole) const { return {whole.data() + first * width, Shape{count, width}}; }
};

using Entries = std::span<const Gradients::Entry* const>;

/// The rows of block `number` of `count`. Blocks begin at multiples of 16, which makes products fastest.
Rows rows_of_block(Entries entries, Index size, Index number, Index count) {
  const Index rows = entries.front()->gradient.shape().rank() == 0 ? 1 : entries.front()->gradient.shape()[0];
  const auto start = [&](Index i) { return i == count ? rows : std::min(rows, (rows * i / count + 8) / 16 * 16); };
  return {start(number), start(number + 1) - start(number), rows == 0 ? 0 : size / rows};
}

void add_products(const Gradients::Entry& entry, const Rows& rows, Sink out, Real factor) {
  for (const DeferredProduct* product = entry.products; product != nullptr; product = product->next) {
    gemm(product->a.outer_part(rows.first, rows.count), product->b, out, factor);
    out = accumulate_into(out.view());
  }
}

/// out += factor x
void add_scaled(const View& out, const View& x, Real factor) {
  vectorized([to = out.data(), from = x.data(), n = out.size(), factor] {
    for (Index i = 0; i < n; ++i) to[i] += factor * from[i];
  });
}

}  // namespace

/// Finds the entries of all parts and checks their shapes.
void Optimizer::collect(std::span<const Gradients> parts) {
  require_alive();
  entries_.assign(parameters_.size() * parts.size(), nullptr);
  bool any = false, knows_any = false;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    check(parts[part]);
    Index next = 0;
    for (const Gradients::Entry& entry : parts[part].entries()) {
      const Index at = find(entry.parameter, next);
      if (at >= 0) entries_[static_cast<std::size_t>(at) * parts.size() + part] = &entry;
      any = true;
      knows_any = knows_any || at >= 0;
    }
    for (const Gradients::Update& update : parts[part].updates()) {
      any = true;
      knows_any = knows_any || find(update.parameter, next) >= 0;
    }
  }
  require<StateError>(
      knows_any || !any,
      "optimizer: the loss depends on none of this optimizer's {} parameters, only on others (is it the loss of "
      "another model, such as a copy?)",
      parameters_.size());
}

/// The entries of a parameter in all parts, from the first part that has one. The sum is stored in that entry's memory.
/// Empty if no part has a gradient.
Entries Optimizer::entries_of(std::size_t parameter) const {
  const std::size_t parts = entries_.size() / parameters_.size();
  const Entries entries = Entries(entries_).subspan(parameter * parts, parts);
  const auto first = std::find_if(entries.begin(), entries.end(), [](const auto* entry) { return entry != nullptr; });
  return {first, entries.end()};
}

/// Plain gradient descent: subtracts each part's gradient without summing them first.
void Optimizer::descend(std::size_t parameter, const Block& block, double learning_rate) {
  const Entries entries = entries_of(parameter);
  if (entries.empty()) return;
  const auto rate = static_cast<Real>(learning_rate * treatments_[parameter].rate_factor);
  const View whole = parameters_[parameter]->value;
  const Rows rows = rows_of_block(entries, whole.size(), block.number, block.count);
  const View value = rows.of(whole);
  for (const Gradients::Entry* entry : entries) {
    if (entry == nullptr) continue;
    if (entry->is_summed) add_scaled(value, rows.of(entry->gradient), -rate);
    add_products(*entry, rows, accumulate_into(value), -rate);
  }
}

/// Sums the gradients of all parts in the memory of the first.
void Optimizer::sum(std::size_t parameter, const Block& block) {
  const Entries entries = entries_of(parameter);
  if (entries.empty()) return;
  const View whole = entries.front()->gradient;
  const Rows rows = rows_of_block(entries, whole.size(), block.number, block.count);
  const View total = rows.of(whole);
  bool holds_something = entries.front()->is_summed;
  for (const Gradients::Entry* entry : entries) {
    if (entry == nullptr) continue;
    if (entry != entries.front() && entry->is_summed) {
      const View other = rows.of(entry->gradient);
      holds_something ? add_scaled(total, other, 1) : copy(other, overwrite(total));
      holds_something = true;
    }
    add_products(*entry, rows, {total, holds_something}, 1);
    holds_something = holds_something || entry->products != nullptr;
  }
}

/// Clips the summed gradients by norm, if the rule has clipnorm or global_clipnorm.
void Optimizer::limit_norms() {
  const auto& options = rule_.options();
  double total = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (entries_of(i).empty()) continue;
    const View gradient = entries_of(i).front()->gradient;
    const double square = squared_norm(gradient);
    total += square;
    if (options.clipnorm > 0) limit_norm(gradient, std::sqrt(square), options.clipnorm);
  }
  if (options.global_clipnorm == 0) return;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!entries_of(i).empty()) {
      limit_norm(entries_of(i).front()->gradient, std::sqrt(total), options.global_clipnorm);
    }
  }
}

/// Applies clipvalue, weight decay and the rule's update, given the summed gradient.
void Optimizer::update(std::size_t parameter, const Block& block, Step step) {
  const Entries entries = entries_of(parameter);
  if (entries.empty()) return;
  const View whole = parameters_[parameter]->value;
  const Rows rows = rows_of_block(entries, whole.size(), block.number, block.count);
  // An elementwise rule may get a block of rows; any other rule gets the parameter in its shape.
  const auto part_of = [&](const View& tensor) { return block.count == 1 ? tensor : rows.of(tensor); };
  const View value = part_of(whole), gradient = part_of(entries.front()->gradient);
  std::array<View, detail::most_slots> slots;
  const auto slot_count = static_cast<std::size_t>(slots_);
  for (std::size_t k = 0; k < slot_count; ++k) slots[k] = part_of(state_[parameter * slot_count + k]);

  const auto& options = rule_.options();
  step.learning_rate *= treatments_[parameter].rate_factor;
  if (options.clipvalue > 0) {
    const auto limit = static_cast<Real>(options.clipvalue);
    for (Real& g : gradient) g = g > limit ? limit : g < -limit ? -limit : g;
  }
  if (options.weight_decay > 0 && treatments_[parameter].decays) {
    // Not *= 1 - decay: rounding 1 - decay would change a small decay considerably.
    const auto decay = static_cast<Real>(step.learning_rate * options.weight_decay);
    for (Real& w : value) w -= decay * w;
  }
  rule_.update(value, gradient, {slots.data(), slot_count}, step);
}

/// Calls work(parameter, block) for every parameter and block. The team shares the blocks.
template <class Work>
void Optimizer::each_block(Index blocks, detail::Team* team, Work work) const {
  const auto share = [&](Index member, Index members) {
    for (Index number = member; number < blocks; number += members) {
      for (std::size_t i = 0; i < parameters_.size(); ++i) work(i, Block{number, blocks});
    }
  };
  const Index members = team == nullptr ? 1 : std::min(team->size(), blocks);
  if (members <= 1) return share(0, 1);
  team->run(members, [&](Index member) { share(member, members); });
}

void Optimizer::step(std::span<const Gradients> parts, detail::Team* team) {
  collect(parts);
  const auto& options = rule_.options();
  const Step step{.iteration = iterations_, .learning_rate = learning_rate()};
  const bool limits_norms = options.clipnorm > 0 || options.global_clipnorm > 0;
  const bool plain =
      rule_.is_gradient_descent() && !limits_norms && options.clipvalue == 0 && options.weight_decay == 0;
  // One block per part, not per thread: the result must not depend on the number of threads.
  const Index blocks = std::ssize(parts);
  if (plain) {
    each_block(blocks, team, [&](std::size_t i, const Block& block) { descend(i, block, step.learning_rate); });
  } else if (rule_.elementwise() && !limits_norms) {
    each_block(blocks, team, [&](std::size_t i, const Block& block) {
      sum(i, block);
      update(i, block, step);
    });
  } else {
    each_block(blocks, team, [&](std::size_t i, const Block& block) { sum(i, block); });
    if (limits_norms) limit_norms();
    each_block(rule_.elementwise() ? blocks : 1, team,
               [&](std::size_t i, const Block& block) { update(i, block, step); });
  }

  for (const Gradients& part : parts) {
    Index next = 0;
    for (const Gradients::Update& change : part.updates()) {
      const Index at = find(change.parameter, next);
      if (at >= 0) copy(change.value, overwrite(parameters_[static_cast<std::size_t>(at)]->value));
    }
  }
  if (rule_.extras().use_ema) move_averages();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Constraint& constraint = parameters_[i]->constraint;
    if (constraint && !entries_of(i).empty()) constraint(parameters_[i]->value);
  }
  ++iterations_;
}

void detail::step(Optimizer& optimizer, std::span<const Gradients> parts, detail::Team* team) {
  optimizer.step(parts, team);
}

}  // namespace cornu
