#include "cornu/models/training_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/models/masked_steps.h"
#include "cornu/optim/shared_step.h"

namespace cornu {

namespace detail {

Var penalty(Tape& tape, std::span<const Parameter* const> parameters) {
  Var result;
  for (auto at = parameters.begin(); at != parameters.end(); ++at) {
    const Parameter* const parameter = *at;
    if (!parameter->regularizer || !parameter->learns()) continue;
    if (std::find(parameters.begin(), at, parameter) != at) continue;  // tied, and listed under two names
    const Var own = parameter->regularizer(tape.parameter(*parameter));
    result = result ? result + own : own;
  }
  return result;
}

Var with_added(Var loss) {
  for (const Var added : loss.tape().losses()) loss = loss + added;
  return loss;
}

void SequentialState::run(TrainingPass& pass, ConstView x, ConstView y, ConstView sample_weight, const Rng& noise,
                          BackwardOptions backward, bool penalizes) const {
  backward.parameters = optimizer->parameters();
  pass.gradients = {};
  pass.tape.clear();
  pass.tape.rng() = noise;
  const CountedSteps counted(forward(pass.tape.samples(x)), y, sample_weight);
  pass.y_pred = counted.y_pred;
  pass.y_true = counted.y_true;
  pass.weights = counted.sample_weight;
  Var loss =
      with_added(counted.none ? pass.tape.constant(Real{0}) : compiled->loss(pass.y_pred, pass.y_true, pass.weights));
  pass.loss = static_cast<double>(loss.item());
  pass.penalty = 0;
  if (const Var penalties = penalizes ? penalty(pass.tape, backward.parameters) : Var()) {
    pass.penalty = static_cast<double>(penalties.item());
    // Backward multiplies all gradients by the shard's share of the batch; the penalty must count in full.
    loss = loss + penalties / backward.gradient;
  }
  if (std::isfinite(pass.loss + pass.penalty)) pass.gradients = pass.tape.backward(loss, backward);
}

void SequentialState::require_known(const Gradients& gradients) const {
  require<StateError>(optimizer->knows_all(gradients),
                      "{}: forward reads a Parameter that no layer's parameters() lists; it would not be trained",
                      name);
}

namespace {

// Samples per shard in a distributed run, if it is not given. It does not depend on the number of ranks, so that random
// layers draw the same numbers for any.
constexpr Index shard_size_of_ranks = 32;

Index threads_of(const FitOptions& options) {
  if (options.threads > 0) return options.threads;
  const Communicator* const ranks = options.distribution.communicator();
  return ranks != nullptr && ranks->threads() > 0 ? ranks->threads() : available_cores();
}

Index parameter_count(SequentialState& model) {
  Index result = 0;
  for (const NamedParameter& named : model.parameters()) result += named.parameter->value.size();
  return result;
}

}  // namespace

TrainingStep::TrainingStep(SequentialState& model, DatasetRef data, detail::BatchWeights weights,
                           const FitOptions& options, std::vector<Index> parts, Index batches)
    : model_(model),
      data_(data),
      weights_(std::move(weights)),
      seed_(options.seed),
      threads_(threads_of(options)),
      shard_size_(options.shard_size),
      work_{.parameters = parameter_count(model)},
      parts_(std::move(parts)),
      batches_(batches),
      average_every_(options.distribution.size() > 1 ? options.average_every : 0) {
  if (options.distribution.size() > 1 || options.reproducible) {
    together_ = std::make_unique<StepTogether>(Ranks(options.distribution), options.reproducible);
    if (shard_size_ == 0) shard_size_ = shard_size_of_ranks;
  }
  for (const Shape& shape : model.shapes) work_.sample_numbers += shape.size();
  if (model.takes_any_length()) {
    work_.sample_numbers *= std::max(data.feature_shape().size() / model.shapes.front().size(), Index{1});
  }
}

double TrainingStep::operator()(const Batch& batch, Index index, detail::Tally& tally) {
  using Clock = std::chrono::steady_clock;
  model_.prepare_training();  // at every step: a callback may have compiled or built the model anew
  rows_ = batch.rows;
  upcoming_ = batch.upcoming;
  index_ = index;
  divide_among_ranks(batch);
  const bool may_share = threads_ > 1 && end_ - begin_ > 1;
  if (may_share && team_ == nullptr && !is_alone_) recruit();
  if (may_share && !choice_) choice_.emplace(detail::should_pay_to_share(work_, threads_));
  sharing_ = may_share && choice_->shares() ? team_.get() : nullptr;
  const Index passes = !shards_.in_turn ? shards_.count : sharing_ != nullptr ? sharing_->size() : 1;
  model_.make_passes(passes);

  if (steps_apart()) return step_apart(tally);
  mean_over_ = work_.samples;
  const auto begin = Clock::now();
  const std::optional<double> loss = together_         ? step_together(tally)
                                     : shards_.in_turn ? step_in_turn(tally)
                                                       : step_at_once(tally);
  if (!loss) {
    mixes_samples_ = true;
    return (*this)(batch, index, tally);
  }
  has_met_ = true;
  if (may_share) choice_->took(std::chrono::duration<double>(Clock::now() - begin).count(), work_.samples);
  return *loss;
}

/// The first row of a shard in the batch, or in this rank's part of it if each rank has other data.
Index TrainingStep::first_row(Index shard) const {
  if (!parts_.empty()) return mixes_samples_ ? (shard > begin_ ? work_.samples : 0) : (shard - begin_) * shards_.size;
  return mixes_samples_ ? work_.samples * shard / shards_.count : shard * shards_.size;
}

void TrainingStep::recruit() {
  set_up_blas();  // before there are threads
  try {
    team_ = std::make_unique<detail::Team>(threads_);
  } catch (const std::system_error&) {
    is_alone_ = true;  // the calling thread runs all shards
  }
}

/// Runs all shards, then steps. Returns nullopt if the model mixes samples, so that the batch cannot be divided.
std::optional<double> TrainingStep::step_at_once(detail::Tally& tally) {
  if (!go_through(0, shards_.count)) return std::nullopt;
  double loss = 0;
  gradients_.clear();
  for (Index shard = 0; shard < shards_.count; ++shard) {
    TrainingPass& pass = model_.pass(shard);
    loss += count(pass, shard, tally);
    gradients_.push_back(pass.gradients);
  }
  if (std::isfinite(loss)) apply(gradients_);
  return loss;
}

/// Runs as many shards at a time as there are threads, and sums their gradients before the next ones. Returns nullopt
/// as step_at_once does.
std::optional<double> TrainingStep::step_in_turn(detail::Tally& tally) {
  double loss = 0;
  sum_.clear();
  const Index at_a_time = sharing_ != nullptr ? sharing_->size() : 1;
  for (Index first = 0; first < shards_.count; first += at_a_time) {
    const Index together = std::min(at_a_time, shards_.count - first);
    if (!go_through(first, together)) return std::nullopt;
    gradients_.clear();
    for (Index i = 0; i < together; ++i) {
      loss += count(model_.pass(i), first + i, tally);
      gradients_.push_back(model_.pass(i).gradients);
    }
    sum_.add(gradients_, sharing_);
  }
  const Gradients gradients = sum_.gradients();
  if (std::isfinite(loss)) apply({&gradients, 1});
  return loss;
}

/// Runs `together` shards, starting with shard `first`, forward and backward. Shard first + i uses the model's pass i.
/// Returns false if the batch is divided and the model mixes samples.
bool TrainingStep::go_through(Index first, Index together, std::optional<bool> defers, GradientListener* listener) {
  const auto of_shard_in_errors = [&](Index i, const auto& task) {
    try {
      task(model_.pass(i));
    } catch (Error& error) {
      if (shards_.count > 1) error.add_context(message("the shard starting at sample {}", first_row(first + i)));
      throw;
    }
  };
  const auto gather = [&](TrainingPass& pass, Index shard, Index next) {
    const std::span<const Index> rows = of_shard(shard, rows_);
    data_.gather_into(pass.x, pass.y, rows);
    // Prefetched by the thread that will gather it.
    data_.prefetch(next < end_ ? of_shard(next, rows_) : of_shard(next - end_ + begin_, upcoming_));
    pass.given_weights = weights_.of(rows, pass.y, pass.sample_weight);
  };
  const auto run = [&](TrainingPass& pass, Index shard) {
    const double share = static_cast<double>(pass.x.shape()[0]) / static_cast<double>(mean_over_);
    model_.run(pass, pass.x, pass.y, pass.given_weights, noise(shard),
               {.gradient = static_cast<Real>(share),
                .defer_products = defers.value_or(!shards_.in_turn || shards_.has_large_gradients),
                .listener = listener},
               shard == (steps_apart() ? begin_ : 0));
  };
  const auto go = [&](Index i) {
    of_shard_in_errors(i, [&](TrainingPass& pass) {
      gather(pass, first + i, first + together + i);
      run(pass, first + i);
    });
  };
  if (meets_in_passes()) {
    // Layers exchange sums with the other ranks, so that a rank must not fail while the others wait for it there.
    TrainingPass& pass = model_.pass(0);
    together_->ranks().run([&] { of_shard_in_errors(0, [&](TrainingPass& own) { gather(own, first, end_); }); });
    pass.tape.set_communicator(&together_->ranks().communicator());
    run(pass, first);
    pass.tape.set_communicator(nullptr);
  } else if (sharing_ == nullptr) {
    for (Index i = 0; i < together; ++i) go(i);
  } else {
    const Index members = std::min(sharing_->size(), together);
    sharing_->run(members, [&](Index member) {
      for (Index i = member; i < together; i += members) go(i);
    });
  }
  for (Index i = 0; i < together && shards_.count > 1 && !mixes_samples_; ++i) {
    if (model_.pass(i).tape.mixes_samples()) return false;
  }
  return true;
}

std::span<const Index> TrainingStep::of_shard(Index shard, std::span<const Index> rows) const {
  const auto begin = [&](Index number) { return std::min(static_cast<std::size_t>(first_row(number)), rows.size()); };
  return rows.subspan(begin(shard), begin(shard + 1) - begin(shard));
}

Index TrainingStep::own_samples() const {
  Index samples = 0;
  for (Index shard = begin_; shard < end_; ++shard) samples += std::ssize(of_shard(shard, rows_));
  return samples;
}

/// Adds a pass to the tally. Returns its part of the batch's loss.
double TrainingStep::count(const TrainingPass& pass, Index shard, detail::Tally& tally) {
  if (shard == 0) penalty_ = pass.penalty;
  const double loss = pass.loss + penalty_;
  if (!std::isfinite(loss)) not_finite_ = shard;
  tally.require_logits(pass.y_pred);
  tally.add(loss, pass.x.shape()[0], pass.y_true, pass.y_pred.value(), pass.weights);
  return loss * (static_cast<double>(pass.x.shape()[0]) / static_cast<double>(work_.samples));
}

void TrainingStep::apply(std::span<const Gradients> gradients) {
  for (const Gradients& each : gradients) model_.require_known(each);
  step(*model_.optimizer, gradients, sharing_);
}

std::string TrainingStep::own_where_not_finite() {
  TrainingPass& pass = model_.pass(0);
  data_.gather_into(pass.x, pass.y, of_shard(not_finite_, rows_));
  return model_.where_not_finite(pass, pass.x, noise(not_finite_));
}

}  // namespace detail

const Logs& Sequential::train_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight) {
  state_->require_compiled();
  require(x.rank() > 0 && x.shape()[0] > 0,
          "{}: train_on_batch of shape {}; the first axis must be the batch, with at least one sample", name(),
          x.shape());
  if (!built()) build(x.shape().sub(1));
  state_->prepare_training();
  if (!state_->report) {
    state_->report = std::make_unique<detail::SequentialState::Report>(*state_->compiled);
  }
  auto& [tally, logs] = *state_->report;
  tally.reset();
  const Rng noise = detail::noise_of_step(state_->seed, state_->seen.steps);
  state_->make_passes(1);
  detail::TrainingPass& pass = state_->pass(0);
  state_->run(pass, x, y, sample_weight, noise, {.defer_products = true}, true);
  const double loss = pass.loss + pass.penalty;
  if (!std::isfinite(loss)) {
    throw NonFiniteError(message("{}: train_on_batch: the loss is {}: {}", name(), detail::shown(loss),
                                 state_->where_not_finite(pass, x, noise)));
  }
  state_->require_known(pass.gradients);
  // Before the step: predictions may share a parameter's memory, and if a metric throws, the weights are unchanged.
  tally.require_logits(pass.y_pred);
  tally.add(loss, x.shape()[0], pass.y_true, pass.y_pred.value(), pass.weights);
  tally.write(logs);
  state_->optimizer->step(pass.gradients);
  ++state_->seen.steps;
  return logs;
}

}  // namespace cornu
