#pragma once

#include "cornu/datasets/csv/encoding.h"
#include "cornu/layers/chain.h"
#include "cornu/models/metrics/tally.h"
#include "cornu/models/sequential.h"
#include "cornu/models/tape_pool.h"

/// What is inside a Sequential; for models/*.cpp alone.
namespace cornu::detail {

inline constexpr Index most_steps = Index{1} << 40;  // whose noise has a stream of its own

/// How much a model has been trained on: which random streams come next. Kept by copies, in files and in backups, and
/// by `compile`; 0 again once a build has initialised all parameters.
struct Seen {
  Index steps = 0;    ///< batches of `fit` and `train_on_batch`: step s draws its noise from noise_of_step(seed, s)
  Index passes = 0;   ///< passes over a dataset that `fit` has begun: the p-th is shuffled by Rng(seed, p)
  Index batches = 0;  ///< of the last of these passes

  void options(auto& visit) {
    visit("steps", steps);
    visit("passes", passes);
    visit("batches", batches);
  }
  /// Throws FormatError for counts that no training can have come to.
  void check() const;
};

/// The stream that the layers draw from in a shard of training step `index`, apart from those that shuffle (small
/// numbers).
inline Rng noise_of_step(std::uint64_t seed, Index index, Index shard = 0) {
  return Rng(seed,
             std::uint64_t{1} << 63 | static_cast<std::uint64_t>(shard) << 40 | static_cast<std::uint64_t>(index));
}

/// The sum of the parameters' penalties; an empty Var if no parameter has one.
Var penalty(Tape& tape, std::span<const Parameter* const> parameters);
/// The loss plus the losses that layers have added to its tape.
Var with_added(Var loss);

/// One forward and backward pass over some samples, with memory that the next one reuses.
struct TrainingPass {
  Tape tape{Mode::training};
  Tensor x, y, sample_weight;  // the gathered samples of a shard
  Var y_pred;
  double loss = 0;      // with the losses that layers have added
  double penalty = 0;   // of the parameters; in one shard of a step
  Gradients gradients;  // empty if the loss is not finite
};

/// What a model is: all that a copy of it has.
struct SequentialParts : Chain {
  std::uint64_t seed = 0;
  Seen seen;
  std::optional<CompileOptions> compiled;
  std::optional<CsvEncoding> csv_encoding;
  std::optional<Optimizer> optimizer;  // made by the first step after compiling or changing the layers
};

/// And what it works with, which stays where it is: a callback may assign to the model that is being fitted.
struct SequentialState : SequentialParts {
  /// What train_on_batch returns.
  struct Report {
    Tally tally;
    Logs logs;
    explicit Report(const CompileOptions& compiled) : tally(compiled.metrics, compiled.loss.logits()) {}
  };
  std::unique_ptr<Report> report;
  std::vector<std::unique_ptr<TrainingPass>> passes;  // which stay where they are: others are made beside them
  mutable TapePool inference_tapes;

  static const SequentialState& of(const Sequential& model) { return *model.state_; }
  static SequentialState& of(Sequential& model) { return *model.state_; }

  void require_compiled() const;
  /// Throws ShapeError unless the dataset's samples are what the model takes.
  void require_fitting(DatasetRef data, const char* what) const;
  /// Throws ShapeError, naming `what`, for a dataset without targets.
  void require_targets(DatasetRef data, const char* what) const;
  /// Throw ShapeError unless the encoding has a feature for each input, and a class for each output; two classes may
  /// share one output.
  void require_features(const CsvEncoding& encoding, const Shape& input) const;
  void require_classes(const CsvEncoding& encoding) const;

  /// Makes what training needs and does not have yet.
  void prepare_training();
  TrainingPass& pass(Index i) { return *passes[static_cast<std::size_t>(i)]; }
  void make_passes(Index count) {
    while (std::ssize(passes) < count) passes.push_back(std::make_unique<TrainingPass>());
  }
  /// Forward and, if the loss is finite, backward. Of the passes that a batch is gone through in, one `penalizes`: the
  /// others leave the parameters' penalties to it.
  void run(TrainingPass& pass, ConstView x, ConstView y, ConstView sample_weight, const Rng& noise,
           BackwardOptions backward, bool penalizes) const;
  /// Throws StateError for gradients of parameters that are not the model's.
  void require_known(const Gradients& gradients) const;
  /// A sentence on where a pass over x with this noise first stops being finite.
  std::string where_not_finite(TrainingPass& pass, ConstView x, const Rng& noise) const;
};

}  // namespace cornu::detail
