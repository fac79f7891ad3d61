#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "cornu/core/error.h"
#include "cornu/models/batch_weights.h"
#include "cornu/models/class_weight.h"
#include "cornu/models/distribution/model_state.h"
#include "cornu/models/evaluation.h"
#include "cornu/models/interrupt.h"
#include "cornu/models/progress.h"
#include "cornu/models/training_step.h"

namespace cornu {

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
  at_least("average_every", options.average_every, 0);
  require<ValueError>(options.average_every == 0 || !options.reproducible,
                      "fit: the result of average_every depends on the number of ranks; set .reproducible = false");
  require<ValueError>(options.shard_size == 0 || options.shard_size >= 2,
                      "fit: shard_size is {}; it must be 0 or at least 2: with one sample per shard, fit cannot detect "
                      "that a model mixes samples",
                      options.shard_size);
  require<ValueError>(options.validation_split >= 0 && options.validation_split < 1,
                      "fit: validation_split is {}; it must be in [0, 1)", options.validation_split);
}

/// Throws ValueError unless all ranks have been called with the same options, and data of the same size.
void require_same_fit(DatasetRef data, const FitOptions& options, const std::string& model) {
  const detail::Ranks ranks(options.distribution);
  if (ranks.alone()) return;
  std::string classes;
  for (const auto& [name, weight] : options.class_weight) classes += message("{}: {}, ", name, weight);
  detail::require_same(
      ranks,
      {{"the version of Cornu", CORNU_VERSION},
       {"the size of a Real", message("{}", sizeof(Real))},
       {"the model", model},
       {"data_in_parts", message("{}", options.data_in_parts)},
       {"the number of samples", options.data_in_parts ? "" : message("{}", data.size())},
       {"the shape of a sample", message("{}", data.feature_shape())},
       {"the shape of a target", message("{}", data.target_shape())},
       {"the number of validation samples",
        options.data_in_parts ? "" : message("{}", options.validation_data ? options.validation_data.size() : 0)},
       {"batch_size", message("{}", options.batch_size)},
       {"epochs", message("{}", options.epochs)},
       {"validation_split", message("{}", options.validation_split)},
       {"validation_steps", message("{}", options.validation_steps)},
       {"validation_batch_size", message("{}", options.validation_batch_size)},
       {"validation_freq", message("{}", options.validation_freq)},
       {"shuffle", message("{}", options.shuffle)},
       {"class_weight", classes},
       {"the shape of sample_weight", message("{}", options.sample_weight.shape())},
       {"initial_epoch", message("{}", options.initial_epoch)},
       {"steps_per_epoch", message("{}", options.steps_per_epoch)},
       {"seed", message("{}", options.seed)},
       {"shard_size", message("{}", options.shard_size)},
       {"average_every", message("{}", options.average_every)},
       {"reproducible", message("{}", options.reproducible)}});
}

/// The training data of fit, and its validation data if there are any.
struct FitData {
  std::optional<Split> parts;  // where validation_split divides the dataset
  DatasetRef train, validation;
  ConstView train_weight, validation_weight;

  FitData(DatasetRef data, const FitOptions& options) : train(data), validation(options.validation_data) {
    if (validation || options.validation_split == 0) return;
    parts.emplace(split(data, options.validation_split));
    train = parts->train;
    validation = parts->validation;
  }

  /// The weights of the samples in `train` come first, those of the validation samples last.
  void divide_weights(const Tensor& weights, Index samples) {
    if (weights.empty()) return;
    detail::require_sample_weight(weights, samples);
    const Index validated = parts ? parts->validation.size() : 0, width = weights.size() / samples;
    train_weight = {weights.data(), weights.shape().with(0, train.size())};
    validation_weight = {weights.data() + (samples - validated) * width, weights.shape().with(0, validated)};
  }
};

/// Iterates over the dataset pass after pass, each in a new order if it is shuffled. An epoch may have fewer or more
/// batches than a pass. The counts continue those of the model.
class Passes {
 public:
  /// Starts a pass or, if `within_pass`, continues the pass that was started last.
  Passes(Batcher& batcher, const detail::Seen& before, bool within_pass) : batcher_(batcher), seen_(before) {
    if (!within_pass) {
      begin();
      return;
    }
    batcher_.start_epoch(static_cast<std::uint64_t>(seen_.passes));
    const Index done = std::min(seen_.batches, batcher_.batch_count());
    for (Index skipped = 0; skipped < done; ++skipped) batcher_.next_rows();
  }

  /// The next batch. `model`: the model's counts, which exceed `seen` if a callback has trained the model.
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

  /// The counts including the batch that `next` returned last.
  const detail::Seen& seen() const { return seen_; }

 private:
  void begin() {
    batcher_.start_epoch(static_cast<std::uint64_t>(++seen_.passes));
    seen_.batches = 0;
  }

  Batcher& batcher_;
  detail::Seen seen_;
};

/// Raises `seen` to the counts of a run after `batches` batches. `seen` has lower counts if only weights were loaded,
/// or if the file does not store the counts.
void raise_to(detail::Seen& seen, Index batches, Index batches_per_pass) {
  if (seen.steps >= batches && seen.passes > 0) return;
  seen.steps = std::max(seen.steps, batches);
  seen.passes = (batches + batches_per_pass - 1) / batches_per_pass;
  seen.batches = batches - (seen.passes - 1) * batches_per_pass;
}

/// One call of fit on a model that is built and compiled.
class FitLoop {
 public:
  FitLoop(Sequential& model, detail::SequentialState& state, const FitData& data, Batcher& batcher,
          const FitOptions& options, std::vector<Index> parts)
      : model_(model),
        state_(state),
        options_(options),
        ranks_(options.distribution),
        batcher_(batcher),
        steps_(options.steps_per_epoch > 0 ? options.steps_per_epoch : batcher.batch_count()),
        step_(state, data.train, weights(data), options, std::move(parts), batcher.batch_count()),
        tally_(state.compiled->metrics, state.compiled->weighted_metrics, state.compiled->loss.logits()),
        callbacks_(options.callbacks) {
    if (data.validation) {
      const Index batch_size = options.validation_batch_size > 0 ? options.validation_batch_size : options.batch_size;
      evaluation_.emplace(state, data.validation, batch_size, options.validation_steps, data.validation_weight, ranks_,
                          options.data_in_parts);
      run_.validation_freq = options.validation_freq;
    }
    if (options.stop_on_interrupt && ranks_.leads()) interrupt_.emplace();
    history_.params = {.epochs = options.epochs, .steps = steps_};
    run_.callbacks = callbacks_;
    run_.history = &history_;
  }

  History run() {
    detail::share_model(ranks_, state_);
    call_.during(Hook::train_begin, Hook::train_end, epoch_logs_, [&] {
      resume();
      try {
        run_epochs();
      } catch (...) {
        try {
          overwrite_with_averages();
        } catch (const Error&) {  // a callback has changed the model; the exception that ended the run says more
        }
        throw;
      }
      overwrite_with_averages();
    });
    return std::move(history_);
  }

 private:
  detail::BatchWeights weights(const FitData& data) const {
    const bool weighs = !options_.class_weight.empty();
    return detail::BatchWeights(data.train_weight, options_.class_weight, state_.pattern(state_.layers.size()),
                                weighs && detail::rows_are_classes(state_), weighs && detail::leaves_out_steps(state_));
  }

  /// Callbacks such as BackupAndRestore set the epoch and batch to continue from.
  void resume() {
    call_(Hook::train_resume, 0, logs_);
    has_trained_ = run_.epoch > options_.initial_epoch || run_.batch > 0;
    if (run_.batch > 0) tally_.write(logs_);
  }

  void run_epochs() {
    detail::ProgressDisplay display(ranks_.leads() ? options_.verbose : Verbose::silent, options_.epochs, steps_);
    if (run_.epoch >= options_.epochs) return;
    detail::Seen before = state_.seen;
    raise_to(before, run_.epoch * steps_ + run_.batch, batcher_.batch_count());
    Passes passes(batcher_, before, run_.batch > 0 || (options_.steps_per_epoch > 0 && run_.epoch > 0));
    for (Index epoch = run_.epoch; epoch < options_.epochs && !run_.stop_training; ++epoch) {
      run_epoch(epoch, passes, display);
      if (history_.interrupted) return;  // before the end of the epoch
      run_.epoch = epoch + 1;
      run_.batch = 0;
      pause(epoch_logs_);
    }
  }

  void run_epoch(Index epoch, Passes& passes, detail::ProgressDisplay& display) {
    none_.clear();
    if (run_.batch == 0) {
      tally_.reset();
      call_(Hook::epoch_begin, epoch, none_);
    }
    display.epoch_begin(epoch, run_.batch);
    while (run_.batch < steps_ && !run_.stop_training) run_batch(epoch, passes, display);
    if (step_.is_apart()) checked(epoch, [&] { return step_.finish(tally_); });
    call_.set_shares_model(true);

    epoch_logs_ = run_.batch > 0 ? logs_ : none_;
    if (run_.batch > 0) tally_.write(epoch_logs_);
    detail::share(ranks_, epoch_logs_);
    detail::require_same_model(ranks_, state_);
    if (!history_.interrupted && (epoch + 1) % options_.validation_freq == 0) validate();
    call_(Hook::epoch_end, epoch, epoch_logs_);
    display.epoch_end(epoch_logs_);
    history_.append(epoch, epoch_logs_);
  }

  void run_batch(Index epoch, Passes& passes, detail::ProgressDisplay& display) {
    const Index index = run_.batch;
    const Batch& batch = passes.next(state_.seen);
    none_.clear();
    call_(Hook::train_batch_begin, index, none_);
    const double loss = step(batch, passes.seen().steps - 1, epoch);
    has_trained_ = has_trained_ || std::isfinite(loss);
    state_.seen = passes.seen();
    tally_.write(logs_, false);
    if (call_.is_handled(Hook::train_batch_end)) detail::share(ranks_, logs_);
    call_.set_shares_model(!step_.is_apart());
    call_(Hook::train_batch_end, index, logs_);
    run_.batch = index + 1;
    display.step(run_.batch, logs_);
    pause(logs_);
  }

  double step(const Batch& batch, Index index, Index epoch) {
    return checked(epoch, [&] { return step_(batch, index, tally_); });
  }

  /// The loss that `compute` returns. Errors name the batch, and a loss that is not finite is one.
  template <class Compute>
  double checked(Index epoch, const Compute& compute) {
    const auto where = [&] {
      return message("epoch {} of {}, batch {} of {}", epoch + 1, options_.epochs, std::min(run_.batch + 1, steps_),
                     steps_);
    };
    double loss = 0;
    try {
      loss = compute();
    } catch (Error& error) {  // any row in its message is a row of this batch, not of the dataset
      error.add_context("fit, " + where());
      throw;
    }
    run_.non_finite = !std::isfinite(loss);
    if (run_.non_finite && run_.throw_on_non_finite) {
      throw NonFiniteError(message("{}: fit: the loss is {} in {}: {}", model_.name(), detail::shown(loss), where(),
                                   step_.where_not_finite()));
    }
    return loss;
  }

  void validate() {
    if (!evaluation_) return;
    for (const Logs::Entry& entry : evaluation_->run(&call_, nullptr)) {
      epoch_logs_.set("val_" + entry.name, entry.value);
    }
  }

  /// Handles Ctrl-C after the callbacks have saved their backups, so that an interrupted run can be resumed.
  void pause(Logs& logs) {
    call_(Hook::train_pause, 0, logs);
    bool interrupted = interrupt_ && interrupt_->interrupted();
    ranks_.share(interrupted);
    if (interrupted) history_.interrupted = run_.stop_training = true;
  }

  /// As in Keras, training with use_ema leaves the averaged weights in the model.
  void overwrite_with_averages() {
    const bool has_averages = state_.optimizer && state_.optimizer->rule().extras().use_ema;
    if (has_trained_ && has_averages) state_.optimizer->overwrite_with_averages();
  }

  Sequential& model_;
  detail::SequentialState& state_;
  const FitOptions& options_;
  detail::Ranks ranks_;
  Batcher& batcher_;
  Index steps_;  // per epoch
  detail::TrainingStep step_;
  std::optional<detail::Evaluation> evaluation_;
  detail::Tally tally_;
  std::vector<AnyCallback> callbacks_;
  Run run_{.model = model_,
           .epochs = options_.epochs,
           .steps = steps_,
           .epoch = options_.initial_epoch,
           .visit_metrics = [this](OptionVisitor& visit) { tally_.state(visit); },
           .metrics = tally_.names(),
           .directions = tally_.directions()};
  detail::Callbacks call_{callbacks_, run_, ranks_};
  std::optional<detail::InterruptGuard> interrupt_;
  History history_;
  Logs logs_, epoch_logs_;  // of the last batch; of the last epoch
  Logs none_;               // empty logs for hooks; clearing logs_ would free its names
  bool has_trained_ = false;
};

}  // namespace

History Sequential::fit(const Tensor& x, const Tensor& y, const FitOptions& options) {
  const TensorPair data(x, y);
  return fit(data, options);
}

History Sequential::fit(DatasetRef data, const FitOptions& options) {
  const detail::Ranks ranks(options.distribution);
  ranks.run([&] {
    state_->require_compiled();
    check(options);
  });
  require_same_fit(data, options, name());
  std::optional<FitData> parts;
  ranks.run([&] { parts.emplace(data, options); });
  std::vector<Index> samples;  // of each rank
  Index batches = 0;
  if (options.data_in_parts && !ranks.alone()) {
    samples = ranks.of_all(parts->train.size());
    const Index all = std::accumulate(samples.begin(), samples.end(), Index{0});
    batches = (all + options.batch_size - 1) / options.batch_size;
  }
  std::optional<Batcher> batcher;
  ranks.run([&] {
    const std::optional<std::uint64_t> shuffle_seed = options.shuffle ? std::optional(options.seed) : std::nullopt;
    batcher.emplace(
        parts->train,
        BatchOptions{.batch_size = options.batch_size, .shuffle_seed = shuffle_seed, .batch_count = batches});
    if (!built()) build(parts->train.feature_shape());
    state_->require_fitting(parts->train, "fit");
    state_->require_targets(parts->train, "fit");
    if (parts->validation) {
      state_->require_fitting(parts->validation, "validation");
      state_->require_targets(parts->validation, "validation");
    }
    const Shape output = output_shape();
    detail::check_class_weight(options.class_weight, output.rank() == 0 ? 1 : output[-1]);
    parts->divide_weights(options.sample_weight, data.size());
    state_->prepare_training();
  });
  return FitLoop(*this, *state_, *parts, *batcher, options, std::move(samples)).run();
}

}  // namespace cornu
