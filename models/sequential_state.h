#pragma once

#include "cornu/datasets/csv/encoding.h"
#include "cornu/layers/chain.h"
#include "cornu/models/metrics/tally.h"
#include "cornu/models/sequential.h"
#include "cornu/models/tape_pool.h"

/// The state of a Sequential. Internal to models/.
namespace cornu::detail {

inline constexpr Index most_steps = Index{1} << 40;  // limit of the step numbers that noise_of_step keeps apart

/// How much a model has been trained, which determines the next random streams. Copies, files, backups and `compile`
/// keep the counts; a build that initialises all parameters resets them.
struct Seen {
  Index steps = 0;    ///< batches of `fit` and `train_on_batch`: step s draws its noise from noise_of_step(seed, s)
  Index passes = 0;   ///< passes over a dataset that `fit` has begun: the p-th is shuffled by Rng(seed, p)
  Index batches = 0;  ///< of the last pass

  void options(auto& visit) {
    visit("steps", steps);
    visit("passes", passes);
    visit("batches", batches);
  }
  /// Throws FormatError unless each count is from 0 to most_steps.
  void check() const;
};

/// The random stream of the layers in one shard of training step `index`. The highest bit distinguishes it from the
/// streams for shuffling.
inline Rng noise_of_step(std::uint64_t seed, Index index, Index shard = 0) {
  return Rng(seed,
             std::uint64_t{1} << 63 | static_cast<std::uint64_t>(shard) << 40 | static_cast<std::uint64_t>(index));
}

/// The sum of the parameters' penalties; an empty Var if no parameter has one.
Var penalty(Tape& tape, std::span<const Parameter* const> parameters);
/// The loss plus the losses that layers have added to its tape.
Var with_added(Var loss);

/// One forward and backward pass over some samples, with memory that the next pass reuses.
struct TrainingPass {
  Tape tape{Mode::training};
  Tensor x, y, sample_weight;  // the gathered samples of a shard
  ConstView given_weights;     // in sample_weight; empty if there are none
  // What the loss was given: without masked steps, see CountedSteps.
  Var y_pred;
  ConstView y_true, weights;
  double loss = 0;      // with the losses that layers have added
  double penalty = 0;   // of the parameters; computed by one shard of a step
  Gradients gradients;  // empty if the loss is not finite
};

/// The parts of a model that are copied with it.
struct SequentialParts : Chain {
  std::uint64_t seed = 0;
  Seen seen;
  std::optional<CompileOptions> compiled;
  std::optional<CsvEncoding> csv_encoding;
  std::optional<Optimizer> optimizer;  // made by the first step after compiling or changing the layers
};

/// A model's parts and its working memory. Assigning to a model replaces only the parts, because a callback may assign
/// to the model that is being fitted.
struct SequentialState : SequentialParts {
  /// What train_on_batch returns.
  struct Report {
    detail::Tally tally;
    Logs logs;
    explicit Report(const CompileOptions& compiled)
        : tally(compiled.metrics, compiled.weighted_metrics, compiled.loss.logits()) {}
  };
  std::unique_ptr<Report> report;
  std::vector<std::unique_ptr<TrainingPass>> passes;  // each keeps its address when others are added
  mutable detail::TapePool inference_tapes;

  static const SequentialState& of(const Sequential& model) { return *model.state_; }
  static SequentialState& of(Sequential& model) { return *model.state_; }

  void require_compiled() const;
  /// Throws ShapeError unless the dataset's samples have the model's input shape.
  void require_fitting(DatasetRef data, const char* what) const;
  /// Throws ShapeError, naming `what`, for a dataset without targets.
  void require_targets(DatasetRef data, const char* what) const;
  /// Throw ShapeError unless the encoding has a feature for each input, and a class for each output; two classes may
  /// share one output.
  void require_features(const CsvEncoding& encoding, const Shape& input) const;
  void require_classes(const CsvEncoding& encoding) const;

  /// Creates the optimizer if there is none. Throws StateError unless the model is compiled and built.
  void prepare_training();
  TrainingPass& pass(Index i) { return *passes[static_cast<std::size_t>(i)]; }
  void make_passes(Index count) {
    while (std::ssize(passes) < count) passes.push_back(std::make_unique<TrainingPass>());
  }
  /// Forward and, if the loss is finite, backward. `penalizes`: adds the parameters' penalties; true for one pass of
  /// each step.
  void run(TrainingPass& pass, ConstView x, ConstView y, ConstView sample_weight, const Rng& noise,
           BackwardOptions backward, bool penalizes) const;
  /// Throws StateError for gradients of parameters that are not the model's.
  void require_known(const Gradients& gradients) const;
  /// Repeats the forward pass over x with this noise. Returns a sentence naming the first layer with a non-finite
  /// output.
  std::string where_not_finite(TrainingPass& pass, ConstView x, const Rng& noise) const;
};

}  // namespace cornu::detail
