#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/shape_hints.h"
#include "cornu/models/batch_step.h"
#include "cornu/models/evaluation.h"
#include "cornu/models/interrupt.h"
#include "cornu/models/progress.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

namespace {

/// A loss as errors show it: whether a NaN has a sign depends on the processor.
double shown(double loss) { return std::isnan(loss) ? std::abs(loss) : loss; }

}  // namespace

// ---- One step ----

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

void Seen::check() const {
  for (const Index count : {steps, passes, batches}) {
    require<FormatError>(count >= 0 && count <= most_steps,
                         "seen: {} steps, {} passes, {} batches; 0 to {} are possible", steps, passes, batches,
                         most_steps);
  }
}

void SequentialState::require_compiled() const {
  require<StateError>(compiled.has_value(), "{}: not compiled yet; call compile first", name);
}

void SequentialState::require_fitting(DatasetRef data, const char* what) const {
  require(data.feature_shape() == shapes.front(), "{}: {} got samples of shape {}; the model takes {}{}", name, what,
          data.feature_shape(), shapes.front(), sample_hint(data.feature_shape(), shapes.front()));
}

void SequentialState::require_targets(DatasetRef data, const char* what) const {
  require(data.target_shape().size() > 0,
          "{}: {} got samples without targets; of a table, read_csv's .target names the column to learn (predict needs "
          "none)",
          name, what);
}

void SequentialState::prepare_training() {
  require_compiled();
  require_built();
  if (!optimizer) optimizer.emplace(compiled->optimizer, parameters());
}

void SequentialState::run(TrainingPass& pass, ConstView x, ConstView y, ConstView sample_weight, const Rng& noise,
                          BackwardOptions backward, bool penalizes) const {
  backward.parameters = optimizer->parameters();
  pass.gradients = {};
  pass.tape.clear();
  pass.tape.rng() = noise;
  pass.y_pred = forward(pass.tape.samples(x));
  Var loss = with_added(compiled->loss(pass.y_pred, y, sample_weight));
  pass.loss = static_cast<double>(loss.item());
  pass.penalty = 0;
  if (const Var penalties = penalizes ? penalty(pass.tape, backward.parameters) : Var()) {
    pass.penalty = static_cast<double>(penalties.item());
    // The loss is the mean over a part of the batch, and its gradient that part's share; the penalty is all of it.
    loss = loss + penalties / backward.gradient;
  }
  if (std::isfinite(pass.loss + pass.penalty)) pass.gradients = pass.tape.backward(loss, backward);
}

void SequentialState::require_known(const Gradients& gradients) const {
  require<StateError>(optimizer->knows_all(gradients),
                      "{}: forward reads a Parameter that no layer's parameters() lists; it would not be trained",
                      name);
}

}  // namespace detail

void Sequential::compile(CompileOptions options) {
  state_->compiled = std::move(options);
  state_->optimizer.reset();
  state_->report.reset();
}

bool Sequential::compiled() const { return state_->compiled.has_value(); }

Optimizer& Sequential::optimizer() {
  state_->prepare_training();
  return *state_->optimizer;
}

const Logs& Sequential::train_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight) {
  state_->require_compiled();
  require(x.rank() > 0 && x.shape()[0] > 0,
          "{}: train_on_batch of shape {}; the first axis must be the batch, of one sample at least", name(),
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
  TrainingPass& pass = state_->pass(0);
  state_->run(pass, x, y, sample_weight, noise, {.defer_products = true}, true);
  const double loss = pass.loss + pass.penalty;
  if (!std::isfinite(loss)) {
    throw NonFiniteError(message("{}: train_on_batch: the loss is {}: {}", name(), shown(loss),
                                 state_->where_not_finite(pass, x, noise)));
  }
  state_->require_known(pass.gradients);
  // Before the step: predictions may be a parameter's own memory, and what fails here leaves the weights as they were.
  tally.require_logits(pass.y_pred);
  tally.add(loss, y, pass.y_pred.value());
  tally.write(logs);
  state_->optimizer->step(pass.gradients);
  ++state_->seen.steps;
  return logs;
}

// ---- fit ----

namespace {

void check(const FitOptions& options) {
  const auto at_least = [](const char* option, Index value, Index least) {
    require<ValueError>(value >= least, "fit: {} is {}; it must be at least {}", option, value, least);
  };
  at_least("batch_size", options.batch_size, 1);
  at_least("epochs", options.epochs, 0);
  at_least("initial_epoch", options.initial_epoch, 0);
  at_least("steps_per_epoch", options.steps_per_epoch, 0);
  at_least("validation_steps", options.validation_steps, 0);
  at_least("validation_batch_size", options.validation_batch_size, 0);
  at_least("validation_freq", options.validation_freq, 1);
  at_least("threads", options.threads, 0);
  require<ValueError>(
      options.shard_size == 0 || options.shard_size >= 2,
      "fit: shard_size is {}; it must be 0 or at least 2: whether samples depend on each other does not "
      "show in one alone",
      options.shard_size);
  require<ValueError>(options.validation_split >= 0 && options.validation_split < 1,
                      "fit: validation_split is {}; it must be in [0, 1)", options.validation_split);
}

/// One output tells 0 from 1, or for a hinge -1 from 1; more are a class each.
void check_class_weight(const std::map<Index, double>& class_weight, Index outputs) {
  const Index least = outputs == 1 ? -1 : 0, most = std::max(outputs - 1, Index{1});
  for (const auto& [label, weight] : class_weight) {
    require<ValueError>(least <= label && label <= most,
                        "fit: class_weight is given for class {}; the classes of a model with {} output{} are {} to {}",
                        label, outputs, outputs == 1 ? "" : "s", least, most);
    require<ValueError>(weight >= 0 && std::isfinite(weight),
                        "fit: class_weight of class {} is {}; it must be finite and not negative", label, weight);
  }
  require<ValueError>(!class_weight.contains(-1) || !class_weight.contains(0),
                      "fit: class_weight is given for the classes -1 and 0; labels are 0 and 1, or for a hinge -1 and "
                      "1");
}

/// Whether a row of several outputs is one class: the loss is one of classes, or takes the logits of classes, or the
/// model ends in a softmax. Said by these and not by the targets: rows of a regression may look like distributions.
bool rows_are_classes(const detail::SequentialState& model) {
  const AnyLoss& loss = model.compiled->loss;
  if (loss.logits() == Logits::softmax ||
      detail::is_any_of<CategoricalCrossentropy, CategoricalFocalCrossentropy, KLDivergence>(loss)) {
    return true;
  }
  const TapePool::Lease tape(model.inference_tapes);
  tape->clear();
  const Tensor sample(model.shapes.front().batched(1));
  const char* const function = model.forward(tape->input(sample)).squashed_by();
  return function != nullptr && std::string_view(function) == "softmax";
}

/// The weights of the samples that are learnt from, which come first, and those of the rest.
std::pair<ConstView, ConstView> split_weights(const Tensor& weights, Index samples, Index learnt) {
  if (weights.empty()) return {};
  require_sample_weight(weights, samples);
  return {{weights.data(), Shape{learnt}}, {weights.data() + learnt, Shape{samples - learnt}}};
}

/// Batches, pass after pass over the dataset, which is shuffled anew for each. An epoch may have fewer or more batches
/// than a pass. Counts what is seen on from what the model has seen.
class Passes {
 public:
  /// Begins a pass, or, if `within_pass`, goes on in the one that was last begun.
  Passes(Batcher& batcher, const detail::Seen& before, bool within_pass) : batcher_(batcher), seen_(before) {
    if (!within_pass) {
      begin();
      return;
    }
    batcher_.start_epoch(static_cast<std::uint64_t>(seen_.passes));
    const Index done = std::min(seen_.batches, batcher_.batch_count());
    for (Index skipped = 0; skipped < done; ++skipped) batcher_.next_rows();
  }

  /// The next batch. `model` is what the model has seen: more than here if a callback trained it.
  const Batch& next(const detail::Seen& model) {
    seen_.steps = std::max(seen_.steps, model.steps);
    seen_.passes = std::max(seen_.passes, model.passes);
    const Batch* batch = batcher_.next_rows();
    if (batch == nullptr) {
      begin();
      batch = batcher_.next_rows();
    }
    ++seen_.steps;
    ++seen_.batches;
    return *batch;
  }

  /// What is seen with this batch.
  const detail::Seen& seen() const { return seen_; }

 private:
  void begin() {
    batcher_.start_epoch(static_cast<std::uint64_t>(++seen_.passes));
    seen_.batches = 0;
  }

  Batcher& batcher_;
  detail::Seen seen_;
};

/// Raises `seen` to what a run that stands behind `batches` batches must have seen. It falls short where the weights
/// were loaded alone, or from a file that does not tell.
void raise(detail::Seen& seen, Index batches, Index batches_per_pass) {
  if (seen.steps >= batches && seen.passes > 0) return;
  seen.steps = std::max(seen.steps, batches);
  seen.passes = (batches + batches_per_pass - 1) / batches_per_pass;
  seen.batches = batches - (seen.passes - 1) * batches_per_pass;
}

}  // namespace

History Sequential::fit(const Tensor& x, const Tensor& y, const FitOptions& options) {
  const TensorPair data(x, y);
  return fit(data, options);
}

History Sequential::fit(DatasetRef data, const FitOptions& options) {
  state_->require_compiled();
  check(options);
  std::optional<Split> parts;
  DatasetRef train = data, validation = options.validation_data;
  if (!validation && options.validation_split > 0) {
    parts.emplace(split(data, options.validation_split));
    train = parts->train;
    validation = parts->validation;
  }
  const std::optional<std::uint64_t> shuffle_seed = options.shuffle ? std::optional(options.seed) : std::nullopt;
  Batcher batcher(train, {.batch_size = options.batch_size, .shuffle_seed = shuffle_seed});
  if (!built()) build(train.feature_shape());
  state_->require_fitting(train, "fit");
  state_->require_targets(train, "fit");
  const Shape made = state_->shapes.back();
  check_class_weight(options.class_weight, made.rank() == 0 ? 1 : made[-1]);
  state_->prepare_training();

  const auto [train_weight, validation_weight] = split_weights(options.sample_weight, data.size(), train.size());
  const bool of_classes = !options.class_weight.empty() && rows_are_classes(*state_);
  BatchStep step(*state_, train, BatchWeights(train_weight, options.class_weight, made, of_classes), options.seed,
                 options.threads, options.shard_size);
  std::optional<Evaluation> evaluation;
  if (validation) {
    state_->require_fitting(validation, "validation");
    state_->require_targets(validation, "validation");
    const Index batch_size = options.validation_batch_size > 0 ? options.validation_batch_size : options.batch_size;
    evaluation.emplace(*state_, validation, batch_size, options.validation_steps, validation_weight);
  }

  const Index steps = options.steps_per_epoch > 0 ? options.steps_per_epoch : batcher.batch_count();
  Tally tally(state_->compiled->metrics, state_->compiled->loss.logits());
  Run run{.model = *this,
          .epochs = options.epochs,
          .steps = steps,
          .validation_freq = evaluation ? options.validation_freq : 0,
          .epoch = options.initial_epoch,
          .visit_metrics = [&](OptionVisitor& visit) { tally.state(visit); },
          .metrics = tally.names(),
          .directions = tally.directions()};
  std::vector<AnyCallback> callbacks = options.callbacks;
  run.callbacks = callbacks;
  const Callbacks call{callbacks, run};
  std::optional<InterruptGuard> interrupt;
  if (options.stop_on_interrupt) interrupt.emplace();
  History history;
  history.params = {.epochs = options.epochs, .steps = steps};

  Logs logs, epoch_logs;
  run.history = &history;
  bool has_learnt = false;
  const auto interrupted = [&] { return interrupt && interrupt->interrupted(); };
  const auto epochs = [&] {
    ProgressDisplay display(options.verbose, options.epochs, steps);
    detail::Seen& seen = state_->seen;
    if (run.epoch >= options.epochs) return;
    detail::Seen before = seen;
    raise(before, run.epoch * steps + run.batch, batcher.batch_count());
    Passes passes(batcher, before, run.batch > 0 || (options.steps_per_epoch > 0 && run.epoch > 0));
    for (Index epoch = run.epoch; epoch < options.epochs && !run.stop_training; ++epoch) {
      Logs none;  // and `logs` keeps its names: not even the first step of an epoch allocates them
      Index index = run.batch;
      if (index == 0) {
        tally.reset();
        call(Hook::epoch_begin, epoch, none);
      }
      display.epoch_begin(epoch);
      for (; index < steps && !run.stop_training; ++index) {
        const Batch& batch = passes.next(seen);
        none.clear();
        call(Hook::train_batch_begin, index, none);
        double loss = 0;
        try {
          loss = step(batch, passes.seen().steps - 1, tally);
        } catch (Error& error) {  // a row that it names is one of this batch, not of the dataset
          error.add_context(
              message("fit, epoch {} of {}, batch {} of {}", epoch + 1, options.epochs, index + 1, steps));
          throw;
        }
        run.non_finite = !std::isfinite(loss);
        if (run.non_finite && run.throw_on_non_finite) {
          throw NonFiniteError(message("{}: fit: the loss is {} in epoch {} of {}, batch {} of {}: {}", name(),
                                       shown(loss), epoch + 1, options.epochs, index + 1, steps,
                                       step.where_not_finite()));
        }
        has_learnt = has_learnt || !run.non_finite;
        seen = passes.seen();
        tally.write(logs, false);
        call(Hook::train_batch_end, index, logs);
        display.step(index + 1, logs);
        run.batch = index + 1;
        call(Hook::train_pause, 0, logs);  // before Ctrl-C is heeded: a run that is taken up again is to go on
        if (interrupted()) history.interrupted = run.stop_training = true;
      }

      epoch_logs = index > 0 ? logs : none;
      if (index > 0) tally.write(epoch_logs);
      if (evaluation && !history.interrupted && (epoch + 1) % options.validation_freq == 0) {
        for (const Logs::Entry& entry : evaluation->run(&call, nullptr)) {
          epoch_logs.set("val_" + entry.name, entry.value);
        }
      }
      call(Hook::epoch_end, epoch, epoch_logs);
      display.epoch_end(epoch_logs);
      history.append(epoch, epoch_logs);
      if (history.interrupted) break;  // in the midst of the epoch
      run.epoch = epoch + 1;
      run.batch = 0;
      call(Hook::train_pause, 0, epoch_logs);
      if (interrupted()) history.interrupted = run.stop_training = true;  // during the validation
    }
  };
  // As in Keras: a model that was trained with averages of its weights ends with them.
  const auto overwrite_with_averages = [&] {
    const bool has_averages = state_->optimizer && state_->optimizer->rule().extras().use_ema;
    if (has_learnt && has_averages) state_->optimizer->overwrite_with_averages();
  };
  call.during(Hook::train_begin, Hook::train_end, epoch_logs, [&] {
    call(Hook::train_resume, 0, logs);
    has_learnt = run.epoch > options.initial_epoch || run.batch > 0;
    if (run.batch > 0) tally.write(logs);
    try {
      epochs();
    } catch (...) {
      try {
        overwrite_with_averages();
      } catch (const Error&) {  // a callback has changed the model; the exception that ended the run says more
      }
      throw;
    }
    overwrite_with_averages();
  });
  return history;
}

}  // namespace cornu
