#include "cornu/optim/gradient_sum.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/team.h"

namespace cornu {

void GradientSum::clear() {
  for (Total& total : totals_) total.is_begun = false;
  for (Total& value : values_) value.is_begun = false;
}

GradientSum::Total& GradientSum::find(std::vector<Total>& totals, const Parameter* parameter) {
  const auto known =
      std::find_if(totals.begin(), totals.end(), [=](const Total& total) { return total.parameter == parameter; });
  return known != totals.end() ? *known : totals.emplace_back(Total{parameter, Tensor()});
}

namespace {

// The number of blocks of rows per gradient. Fixed, so that the bits of the sum do not depend on the team.
constexpr Index block_count = 2;

/// The first row of a block, out of `rows` rows in all: a multiple of 16, which makes products fastest.
Index block_start(Index rows, Index block) {
  return block == block_count ? rows : std::min(rows, (rows * block / block_count + 8) / 16 * 16);
}

}  // namespace

/// Adds one block of one pass's gradient to the sum.
void GradientSum::add_block(const Gradients::Entry& entry, Index block) {
  Total& total = total_of(entry.parameter);
  const Shape& shape = entry.gradient.shape();
  const Index rows = entry.products != nullptr ? entry.products->a.outer() : shape.rank() == 0 ? 1 : shape[0];
  const Index first = block_start(rows, block), count = block_start(rows, block + 1) - first;
  const Index width = rows == 0 ? 0 : shape.size() / rows;
  const auto block_of = [&](Real* data) { return View(data + first * width, Shape{count, width}); };

  bool is_begun = total.is_begun;
  const View sum = block_of(total.sum.data());
  if (entry.is_summed) {
    copy(block_of(entry.gradient.data()), {sum, is_begun});
    is_begun = true;
  }
  for (const DeferredProduct* product = entry.products; product != nullptr; product = product->next) {
    gemm(product->a.outer_part(first, count), product->b, {sum, is_begun});
    is_begun = true;
  }
}

void GradientSum::add(std::span<const Gradients> passes, detail::Team* team) {
  for (const Gradients& pass : passes) {
    for (const Gradients::Entry& entry : pass.entries()) {
      const Total& total = total_of(entry.parameter);
      require<StateError>(!total.is_begun || total.sum.shape() == entry.gradient.shape(),
                          "GradientSum: gradient of shape {} for a parameter whose earlier gradients have shape {}",
                          entry.gradient.shape(), total.sum.shape());
    }
  }
  for (const Gradients& pass : passes) {
    for (const Gradients::Entry& entry : pass.entries()) {
      Total& total = total_of(entry.parameter);
      if (!total.is_begun) total.sum.resize(entry.gradient.shape());
    }
    const auto add_blocks = [&](Index first, Index step) {
      for (Index block = first; block < block_count; block += step) {
        for (const Gradients::Entry& entry : pass.entries()) add_block(entry, block);
      }
    };
    const Index members = team == nullptr ? 1 : std::min(team->size(), block_count);
    if (members == 1) {
      add_blocks(0, 1);
    } else {
      team->run(members, [&](Index member) { add_blocks(member, members); });
    }
    for (const Gradients::Entry& entry : pass.entries()) total_of(entry.parameter).is_begun = true;
    for (const Gradients::Update& update : pass.updates()) {
      Total& value = find(values_, update.parameter);
      value.sum.resize(update.value.shape());
      copy(update.value, overwrite(value.sum));
      value.is_begun = true;
    }
  }
}

Gradients GradientSum::gradients() {
  entries_.clear();
  for (Total& total : totals_) {
    if (total.is_begun) entries_.push_back({total.parameter, total.sum});
  }
  updates_.clear();
  for (Total& value : values_) {
    if (value.is_begun) updates_.push_back({value.parameter, value.sum});
  }
  return Gradients(entries_, updates_);
}

}  // namespace cornu
