#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/communicator.h"
#include "cornu/datasets/dataset.h"
#include "cornu/layers/any_layer.h"
#include "cornu/models/callbacks/callback.h"
#include "cornu/models/export_cpp/export_cpp.h"
#include "cornu/models/logs.h"
#include "cornu/models/metrics/metric.h"
#include "cornu/models/saving/saving.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/optim/optimizer.h"
#include "cornu/optim/sgd.h"

namespace cornu {

class OptionVisitor;
struct CsvEncoding;
namespace detail {
struct SequentialState;
}

struct SequentialOptions {
  std::string name = "sequential";
  std::uint64_t seed = 0;  ///< for the initial weights
};

struct CompileOptions {
  AnyOptimizer optimizer = SGD{};
  AnyLoss loss;
  std::vector<AnyMetric> metrics{};
  /// Metrics that use sample_weight and class_weight: accuracies, losses, RootMeanSquaredError, and a user's metrics
  /// that declare it (models/metrics/metric.h). A name that `metrics` has, too, gets the prefix "weighted_".
  std::vector<AnyMetric> weighted_metrics{};
};

/// How fit shows its progress on standard output.
enum class Verbose {
  automatic,  ///< bar on a terminal, line elsewhere
  silent,
  bar,   ///< a progress bar per epoch, redrawn in place
  line,  ///< one line per epoch
};

struct FitOptions {
  Index batch_size = 32;
  Index epochs = 1;
  Verbose verbose = Verbose::automatic;
  std::vector<AnyCallback> callbacks{};
  double validation_split = 0;             ///< fraction held out for validation: the last samples, as by `split`
  DatasetRef validation_data{};            ///< dataset to validate on; overrides validation_split
  bool shuffle = true;                     ///< in a new order for each pass over the samples
  std::map<Index, double> class_weight{};  ///< loss weight per class; 1 for classes not listed
  /// Loss weight per sample, (samples), or per time step, (samples, steps). validation_split splits it too.
  Tensor sample_weight{};
  /// First epoch to run, counted from 0, to continue an earlier run. With steps_per_epoch, training continues within
  /// the pass at the sample where that run stopped.
  Index initial_epoch = 0;
  /// Batches per epoch; 0: the whole dataset. Each epoch continues at the sample where the previous one stopped. When a
  /// pass over the samples is complete, the next pass begins, also within an epoch. (Keras ends an epoch at the end of
  /// its arrays.)
  Index steps_per_epoch = 0;
  Index validation_steps = 0;       ///< batches per validation; 0: the whole validation set
  Index validation_batch_size = 0;  ///< 0: batch_size
  Index validation_freq = 1;        ///< epochs between validations
  /// Seed for shuffling and for the random numbers that layers draw in training. Both streams continue from the model's
  /// earlier training, so no call of fit repeats another. The same calls on identically built models give the same
  /// bits.
  std::uint64_t seed = 0;
  /// The most threads that share a batch; 0: one per core. Each batch is divided into shards of at least 32 samples,
  /// provided that each thread gets enough work. Whether sharing pays is measured during the run.
  Index threads = 0;
  /// Samples per shard: those processed together. Shard gradients are summed in a fixed order, so for one shard size
  /// the weights are the same bits for any number of threads. At least 2; 0: chosen from the batch, the model and
  /// `threads`.
  Index shard_size = 0;
  /// On Ctrl-C, fit stops after the current batch, keeps the model and returns the history; a second Ctrl-C ends the
  /// program. If the program has its own SIGINT handler, it is called each time. With `false`, fit does not handle
  /// Ctrl-C.
  bool stop_on_interrupt = true;
  /// The processes that share the work: `mpi::world()` (docs/mpi.md). All of them call fit with the same options,
  /// a model of the same layers and the whole dataset, of which each reads only what it needs. Each batch is divided
  /// into shards, of shard_size samples (0: 32), and each rank takes some of them. The model starts with the weights of
  /// rank 0, and all ranks get the same weights and history. If the model mixes samples, each rank's part of a batch is
  /// one shard. Callbacks run on rank 0, unless they say otherwise (AnyCallback::on_every_rank).
  Distribution distribution{};
  /// Each rank's dataset holds other samples, its part of the data, such as mpi::part or files of its own, and so does
  /// its sample_weight. Each batch has samples of all parts, in proportion to their sizes, and each part is shuffled by
  /// itself: the result depends on the number of ranks.
  bool data_in_parts = false;
  /// Local SGD (Stich, 2019), for slow networks: after the first step, each rank takes so many steps with its own part
  /// of the batches, then the weights and the optimizer's state of all ranks are averaged, also at the end of an epoch.
  /// 0: all ranks take each step together. Losses and metrics are those of the ranks' own weights. Within an epoch,
  /// callbacks see the weights of rank 0.
  Index average_every = 0;
  /// Sums the gradients of shards in an order that depends only on their number: with a given shard_size, the weights
  /// are the same bits for any number of ranks and threads. Throws ValueError if the model mixes samples and there are
  /// several ranks.
  bool reproducible = false;
};

struct EvaluateOptions {
  Index batch_size = 32;
  Verbose verbose = Verbose::silent;
  Tensor sample_weight{};  ///< loss weights, as for fit
  Index steps = 0;         ///< batches; 0: the whole dataset
  /// The processes that take the batches in turn. All of them get the results, the same bits for any number.
  Distribution distribution{};
  bool data_in_parts = false;  ///< each rank's dataset holds other samples, its part of the data
};

struct PredictOptions {
  Index batch_size = 32;
  /// The processes that share the batches. All of them get all outputs, in the order of the samples.
  Distribution distribution{};
};

struct SummaryOptions {
  /// Also list the layers inside other layers. Those inside a model's only layer are always listed.
  bool expand_nested = false;
};

/// A linear stack of layers with everything needed to train it: Keras's Sequential.
///
///     Sequential model{Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10}, Softmax{}};
///     model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{},
///                    .metrics = {Accuracy{}}});
///     model.fit(train, {.epochs = 5});
///     model.evaluate(test)["accuracy"];
///
/// A model whose first layer states its input shape is built on construction. (An Input only states the shape; it is
/// not a layer of the model.) Any other model is built by `build` or by the first fit. Until then, using or saving it
/// throws StateError. Errors thrown inside a layer are prefixed with the layer's name.
///
/// A copy has its own layers, weights and optimizer state. A moved-from model can be assigned to or destroyed; any
/// other use throws StateError. const functions may be called from any number of threads at once.
///
/// A Sequential is also a layer, with its own name. If it is built, it keeps its weights when it is put into another
/// model, like every layer. If it is not, it is built with that model, from that model's seed.
class Sequential {
 public:
  static constexpr LayerTraits traits{.pytorch_numbers_layers = true};

  Sequential();
  /// A list of one unnamed model, as in `Sequential b{a}`, copies that model.
  Sequential(std::initializer_list<AnyLayer> layers);
  Sequential(std::initializer_list<AnyLayer> layers, const SequentialOptions& options);
  Sequential(const Sequential& other);
  Sequential(Sequential&& other) noexcept;
  Sequential& operator=(Sequential other) noexcept;
  ~Sequential();

  const std::string& name() const;

  // ---- The layers ----

  /// Appends a layer. A built model builds it at once; it gets the weights it would have had from the start, or keeps
  /// those it has. Throws ValueError if the name is taken. Discards the optimizer's state.
  void add(AnyLayer layer);
  /// Removes the last layer and discards the optimizer's state. Throws StateError if there is none.
  void pop();
  Index layer_count() const;
  /// Finds a layer by name, or by position; negative positions count from the end. A nested layer has a path:
  /// "encoder/dense".
  /// Throws ValueError, listing the names, if there is no such layer or if the path is ambiguous (a layer named "a/b",
  /// and b inside a).
  /// The layer's options and weights may be changed; only pop and add replace a layer.
  /// The reference is valid until a layer is added or removed, or the model is built (by `build`, or by its first `fit`
  /// or `train_on_batch`), assigned to or destroyed: build replaces the layers with built copies.
  AnyLayer& get_layer(std::string_view name);
  const AnyLayer& get_layer(std::string_view name) const;
  AnyLayer& get_layer(Index position);
  const AnyLayer& get_layer(Index position) const;

  /// Builds the layers for inputs of this shape, without the batch axis, and discards the optimizer's state. Layers
  /// that are already built keep their weights, as in Keras; call reset_parameters(model) first to reinitialise them.
  /// If a layer throws, the model is unchanged. A model that takes any length (see Input) takes only this length
  /// afterwards, unless it is 0 here.
  void build(const Shape& input);
  Shape build(const Shape& input, Rng& rng);
  bool built() const;
  /// Shape of the inputs, without the batch axis, as far as it is known; 0 for an axis of any length.
  std::optional<Shape> input_shape() const;
  /// Shape of the outputs of the model or of one layer, without the batch axis; 0 for an axis whose length depends on
  /// that of the input. Throws StateError unless the model is built.
  Shape output_shape() const;
  Shape output_shape(Index layer) const;

  /// All layers, with their names. The addresses are valid as long as a reference from `get_layer`.
  NamedLayers layers();
  /// All parameters, with names such as `dense/kernel`. The addresses are valid until the model is built again,
  /// assigned to or destroyed, or the layer is removed.
  NamedParameters parameters();
  std::vector<std::pair<std::string, const Parameter*>> parameters() const;
  /// Number of elements in the parameters, and in the optimizer's state (0 before its first step).
  Index count_params() const;
  Index optimizer_params() const;
  /// Copies of all parameters' values, in the order of `parameters`.
  std::vector<Tensor> get_weights() const;
  /// Throws ShapeError, changing nothing, unless the number of tensors and their shapes match the parameters.
  void set_weights(std::span<const Tensor> weights);

  /// x: (batch, input_shape...). Returns (batch, output_shape...), on x's tape.
  Var forward(Var x) const;

  /// Prints a table of the layers to standard output, as Keras does; `to_string(model)` returns it.
  void summary(const SummaryOptions& options = {}) const;

  // ---- Training (after compile) ----

  /// Sets how to train, with a new optimizer. Shuffling and the layers' random streams continue.
  /// Throws ValueError for a weighted metric that takes no weights.
  void compile(CompileOptions options);
  bool compiled() const;
  /// The optimizer in use. Throws StateError unless the model is compiled and built.
  Optimizer& optimizer();

  /// Trains, and returns the losses and metrics of each epoch. However it ends, on_train_end is called
  /// (models/callbacks/callback.h), and the model stays usable and trainable.
  /// Throws ValueError for options out of range, ShapeError if the dataset does not fit the model, and NonFiniteError
  /// as soon as the loss is not finite, naming epoch, batch and the first layer with a non-finite output.
  History fit(DatasetRef data, const FitOptions& options = {});
  History fit(const Tensor& x, const Tensor& y, const FitOptions& options = {});

  /// One step on one batch. Returns its loss and metrics, valid until the next call.
  const Logs& train_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight = {});
  /// Loss and metrics of one batch, without training.
  Logs test_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight = {}) const;

  /// Loss and metrics over all samples, by name.
  Logs evaluate(DatasetRef data, const EvaluateOptions& options = {}) const;
  Logs evaluate(const Tensor& x, const Tensor& y, const EvaluateOptions& options = {}) const;
  /// With callbacks, which may change the model.
  Logs evaluate(DatasetRef data, const EvaluateOptions& options, std::vector<AnyCallback> callbacks);

  // ---- Files (docs/formats.md) ----

  /// Writes one safetensors file with the weights, the architecture, the compile settings and the optimizer's state.
  /// The file is replaced atomically.
  /// Throws StateError unless the model is built, FileError if the file cannot be written, and ValueError for a layer,
  /// loss, metric, ... that has no name in files: a lambda, or a struct that is not registered (layers/registry.h,
  /// optim/registry.h, models/metrics/registry.h).
  void save(const std::string& path, const SaveOptions& options = {}) const;
  /// Restores a saved model. It predicts the same bits, and training continues as if it had not been interrupted.
  /// Throws FileError and FormatError. For a type that must be registered first, the error names it.
  /// Building the model may allocate at most 1 MiB plus four times the file's elements as Reals; a file that asks for
  /// more is refused before it is allocated. Forward passes that build layers are limited by pass_memory instead.
  static Sequential load(const std::string& path, const LoadOptions& options = {});
  /// From a file that is already open, or in memory.
  static Sequential load(const SafetensorsFile& file, const LoadOptions& options = {});
  /// Writes the weights alone, with the names and layouts of Cornu, Keras or PyTorch (docs/formats.md). Throws
  /// ValueError for a layer that has no PyTorch module, and for a name in `rename` that is not a layer's.
  void save_weights(const std::string& path, const SaveWeightsOptions& options = {}) const;
  /// Reads weights by name, of any dtype, from any safetensors file or a file of PyTorch (.pt, .pth) with a state_dict.
  /// PyTorch's modules are matched in their order.
  /// Throws ValueError as save_weights does, and for modules whose names give no order (use `rename`). If `strict` and
  /// a tensor does not fit, throws ValueError with the full report. Throws FormatError for more than 10,000 PyTorch
  /// tensors.
  WeightsReport load_weights(const std::string& path, const LoadWeightsOptions& options = {});
  /// The encoding of the table that the model was trained on (datasets/csv/encoding.h). It is saved, loaded and copied
  /// with the model; `cornu predict` and `cornu evaluate` read tables with it.
  /// `set_csv_encoding`, and `build` after it, throw ShapeError unless the model has one input per feature and one
  /// output per class; two classes may share one output. `csv_encoding` throws StateError if there is none.
  void set_csv_encoding(CsvEncoding encoding);
  const CsvEncoding& csv_encoding() const;
  bool has_csv_encoding() const;
  /// Visits what a file stores of the model, as for a layer.
  void options(OptionVisitor& visit);

  // ---- Inference ----

  /// Returns the outputs, (samples, output_shape...). Warm, it allocates only the result.
  Tensor predict(const Tensor& x, const PredictOptions& options = {}) const;
  Tensor predict(DatasetRef data, const PredictOptions& options = {}) const;
  /// With callbacks, which may change the model.
  Tensor predict(const Tensor& x, const PredictOptions& options, std::vector<AnyCallback> callbacks);
  Tensor predict_on_batch(const Tensor& x) const;
  /// Returns the class of each sample: the index of the largest output. For a single output, returns 1 if its
  /// probability is above 0.5. That output is read as a logit if the compiled loss takes logits, and as a probability
  /// otherwise.
  Tensor predict_classes(const Tensor& x, const PredictOptions& options = {}) const;
  Tensor predict_classes(DatasetRef data, const PredictOptions& options = {}) const;

  /// Writes a C++ header that predicts as this model does, without Cornu. Throws as to_cpp does, and FileError if the
  /// file cannot be written.
  void export_cpp(const std::string& path, const ExportCppOptions& options = {}) const;

 private:
  friend struct detail::SequentialState;
  detail::OwnedPtr<detail::SequentialState> state_;
};

std::string to_string(const Sequential& model, const SummaryOptions& options = {});

}  // namespace cornu
