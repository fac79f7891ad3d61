#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/datasets/dataset.h"
#include "cornu/layers/layer.h"
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
  std::uint64_t seed = 0;  ///< of the initial weights
};

struct CompileOptions {
  AnyOptimizer optimizer = SGD{};
  AnyLoss loss;
  std::vector<AnyMetric> metrics{};
};

/// How fit shows where it stands, on standard output.
enum class Verbose {
  automatic,  ///< a bar on a terminal, a line an epoch elsewhere
  silent,
  bar,
  line,
};

struct FitOptions {
  Index batch_size = 32;
  Index epochs = 1;
  Verbose verbose = Verbose::automatic;
  std::vector<AnyCallback> callbacks{};
  double validation_split = 0;             ///< this fraction, the last samples, is kept for validation
  DatasetRef validation_data{};            ///< what is validated on; overrides validation_split
  bool shuffle = true;                     ///< in a new order for each pass over the samples
  std::map<Index, double> class_weight{};  ///< the weight of a class's labels in the loss; 1 where not given
  Tensor sample_weight{};                  ///< (samples), the weight of each in the loss; split like them
  /// Where to begin counting, to go on with an earlier run; also in the midst of a pass over the samples.
  Index initial_epoch = 0;
  /// Batches an epoch; 0: the whole dataset. Each epoch goes on with the samples where the last one stopped, and with a
  /// new pass over them, in the midst of the epoch, whenever one is complete. (In Keras, arrays end the epoch there.)
  Index steps_per_epoch = 0;
  Index validation_steps = 0;       ///< the same for validation
  Index validation_batch_size = 0;  ///< 0: batch_size
  Index validation_freq = 1;        ///< validate every so many epochs
  /// Of shuffling and of what layers draw in training. Both go on from what the model was trained on before, so that no
  /// call of fit repeats another's; the same calls on a model that is built alike give the same bits.
  std::uint64_t seed = 0;
  /// The most threads that share the work of a batch; 0: as many as there are cores. Each batch is cut into shards of
  /// at least 32 samples, where that leaves each thread enough to do, and the clock decides whether sharing them pays.
  Index threads = 0;
  /// How many samples of a batch are gone through together; their gradients are summed in order, so that for one shard
  /// size the weights are the same bits whatever the number of threads. At least 2; 0: chosen by the batch, the model
  /// and `threads`.
  Index shard_size = 0;
  /// Ctrl-C stops after the batch, keeps the model and returns the history; a second one ends the program. The
  /// program's own handler of SIGINT, if it has one, is called each time, and with `false` alone.
  bool stop_on_interrupt = true;
};

struct EvaluateOptions {
  Index batch_size = 32;
  Verbose verbose = Verbose::silent;
  Tensor sample_weight{};
  Index steps = 0;  ///< batches; 0: the whole dataset
};

struct PredictOptions {
  Index batch_size = 32;
};

struct SummaryOptions {
  /// Also the layers inside others. Those of a model's only layer are always shown.
  bool expand_nested = false;
};

/// Layers one after the other, with what it takes to train them: Keras's Sequential.
///
///     Sequential model{Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10}, Softmax{}};
///     model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{},
///                    .metrics = {Accuracy{}}});
///     model.fit(train, {.epochs = 5});
///     model.evaluate(test)["accuracy"];
///
/// A model whose first layer tells its input is built when it is made (an Input says only this, and is no layer of the
/// model); another one by `build` or by the first fit. Until then it can be neither used nor saved: StateError. Errors
/// from inside a layer are preceded by the layer's name.
///
/// Copying copies layers, weights and the optimizer's state. One that was moved from can be assigned to or destroyed;
/// any other use throws StateError. const functions may be called by any number of threads at once.
///
/// A Sequential is a layer itself, known by its own name. Like every layer that is built it keeps its weights when it
/// is put into another model; one that is not is built with that model, by that one's seed.
class Sequential {
 public:
  Sequential();
  /// A list of one model without a name, as in `Sequential b{a}`, is a copy of that model.
  Sequential(std::initializer_list<AnyLayer> layers);
  Sequential(std::initializer_list<AnyLayer> layers, const SequentialOptions& options);
  Sequential(const Sequential& other);
  Sequential(Sequential&& other) noexcept;
  Sequential& operator=(Sequential other) noexcept;
  ~Sequential();

  const std::string& name() const;

  // ---- The layers ----

  /// Puts a layer at the end; a built model builds it at once, with the weights that it would have had from the start,
  /// or those that it has already.
  /// Throws ValueError for a name that is taken. What the optimizer remembers is forgotten.
  void add(AnyLayer layer);
  /// Takes the last layer off. Throws StateError if there is none.
  void pop();
  Index layer_count() const;
  /// By name, or by position, from the end where negative; one inside another by its path, "encoder/dense". Throws
  /// ValueError, listing the names, if there is none, or if there are two: a layer named "a/b", and b inside a.
  /// The layer's options and weights may be changed; another layer is put in its place by pop and add alone.
  /// The reference is valid until layers are added or taken off, or the model is built (by `build`, or by its first
  /// `fit` or `train_on_batch`), assigned to or destroyed: a build puts built copies in the place of the layers.
  AnyLayer& get_layer(std::string_view name);
  const AnyLayer& get_layer(std::string_view name) const;
  AnyLayer& get_layer(Index position);
  const AnyLayer& get_layer(Index position) const;

  /// Builds the layers for inputs of this shape (without the batch). Layers that are built keep their weights, as in
  /// Keras; to start anew, call reset_parameters(model) first. What the optimizer remembers is forgotten.
  /// If a layer refuses, its error comes and the model is as before.
  void build(const Shape& input);
  Shape build(const Shape& input, Rng& rng);
  bool built() const;
  /// The shape of inputs, without the batch, as far as it is known.
  std::optional<Shape> input_shape() const;
  /// Of the model's or of one layer's outputs, without the batch. Throws StateError before the model is built.
  Shape output_shape() const;
  Shape output_shape(Index layer) const;

  /// All layers, under their names. The addresses are valid as long as a reference from `get_layer`.
  NamedLayers layers();
  /// The layers' parameters, as `dense/kernel`. The addresses are those of this build: valid until the model is built
  /// anew, assigned to or destroyed, or the layer taken off.
  NamedParameters parameters();
  std::vector<std::pair<std::string, const Parameter*>> parameters() const;
  /// How many numbers the parameters hold, and how many the optimizer keeps beside them (none before its first step).
  Index count_params() const;
  Index optimizer_params() const;
  /// Copies of all parameters' values, in the order of `parameters`.
  std::vector<Tensor> get_weights() const;
  /// Throws ShapeError, changing nothing, unless number and shapes are those of the parameters.
  void set_weights(std::span<const Tensor> weights);

  /// What the model makes of x: (batch, input_shape...), on x's tape.
  Var forward(Var x) const;

  /// The table of the layers, as Keras prints it, on standard output; `to_string(model)` returns it.
  void summary(const SummaryOptions& options = {}) const;

  // ---- Training; all need compile ----

  /// Says how to train. The optimizer starts anew; shuffles and what layers draw go on.
  void compile(CompileOptions options);
  bool compiled() const;
  /// The optimizer at work. Throws StateError before the model is compiled and built.
  Optimizer& optimizer();

  /// Trains; returns what it saw. Throws ValueError for options out of range, ShapeError for a dataset that does not
  /// fit, NonFiniteError, naming epoch, batch and the first layer whose output was not finite, as soon as the loss is
  /// not. However it ends, on_train_end is called (models/callbacks/callback.h), and the model can be used and trained
  /// on.
  History fit(DatasetRef data, const FitOptions& options = {});
  History fit(const Tensor& x, const Tensor& y, const FitOptions& options = {});

  /// One step on one batch; returns its loss and metrics, valid until the next call.
  const Logs& train_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight = {});
  /// The loss and metrics of one batch.
  Logs test_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight = {}) const;

  /// Loss and metrics over all samples, by name.
  Logs evaluate(DatasetRef data, const EvaluateOptions& options = {}) const;
  Logs evaluate(const Tensor& x, const Tensor& y, const EvaluateOptions& options = {}) const;
  /// The same with callbacks, which may change the model.
  Logs evaluate(DatasetRef data, const EvaluateOptions& options, std::vector<AnyCallback> callbacks);

  // ---- Files (docs/formats.md) ----

  /// Writes one safetensors file: weights, architecture, how the model was compiled, what its optimizer remembers. It
  /// appears whole or not at all, and what stood there before stays until then. Throws StateError before the model is
  /// built, ValueError for a layer, loss, metric, ... that has no name in a file (a lambda, a struct that was not
  /// registered: layers/registry.h, optim/registry.h, models/metrics/registry.h), FileError if it cannot be written.
  void save(const std::string& path, const SaveOptions& options = {}) const;
  /// The model again: it predicts the same bits, and learns on as if it had never been away. Throws FileError and
  /// FormatError, saying which type must be registered first where it is one that only the program knows. Building it
  /// takes no more memory than four times the file's numbers as Reals and a megabyte, but for the passes that
  /// pass_memory is about; a file that asks for more is refused before it is taken.
  static Sequential load(const std::string& path, const LoadOptions& options = {});
  /// The same of a file that has been opened, or is in memory.
  static Sequential load(const SafetensorsFile& file, const LoadOptions& options = {});
  /// The weights alone: by their own names, or by those of Keras or PyTorch, and in their layouts (docs/formats.md).
  /// Throws ValueError for a layer that PyTorch has no module for, and for a name in `rename` that is no layer's.
  void save_weights(const std::string& path, const SaveWeightsOptions& options = {}) const;
  /// From any safetensors file whose tensors have these names; of any type. PyTorch's modules are taken in their order.
  /// Throws ValueError as save_weights, with the whole report where it is strict and something does not fit, and for
  /// modules whose names tell no order: `rename` says which is which; FormatError for more than 10,000 of PyTorch's
  /// tensors.
  WeightsReport load_weights(const std::string& path, const LoadWeightsOptions& options = {});
  /// The encoding of the table that the model was trained on (datasets/csv/encoding.h). It is saved, loaded and copied
  /// with the model; `cornu predict` and `cornu evaluate` read tables by it. `set_csv_encoding`, and later
  /// `build`, throw ShapeError unless there is an input for each feature and an output for each class; two classes may
  /// share one output. `csv_encoding` throws StateError if there is none.
  void set_csv_encoding(CsvEncoding encoding);
  const CsvEncoding& csv_encoding() const;
  bool has_csv_encoding() const;
  /// What a file says of it, as of a layer.
  void options(OptionVisitor& visit);

  // ---- Using it ----

  /// The outputs, (samples, output_shape...). Allocates nothing but its result once it is warm.
  Tensor predict(const Tensor& x, const PredictOptions& options = {}) const;
  Tensor predict(DatasetRef data, const PredictOptions& options = {}) const;
  /// The same with callbacks, which may change the model.
  Tensor predict(const Tensor& x, const PredictOptions& options, std::vector<AnyCallback> callbacks);
  Tensor predict_on_batch(const Tensor& x) const;
  /// The class of each sample: the position of the largest output or, if there is only one output, whether its
  /// probability is above 0.5. The output is the probability, or its logit if the model is compiled with a loss that
  /// takes logits.
  Tensor predict_classes(const Tensor& x, const PredictOptions& options = {}) const;
  Tensor predict_classes(DatasetRef data, const PredictOptions& options = {}) const;

  /// Writes a header that predicts as this model does, without Cornu: see to_cpp. Throws FileError if it cannot be
  /// written, else as to_cpp.
  void export_cpp(const std::string& path, const ExportCppOptions& options = {}) const;

 private:
  friend struct detail::SequentialState;
  detail::OwnedPtr<detail::SequentialState> state_;
};

std::string to_string(const Sequential& model, const SummaryOptions& options = {});

}  // namespace cornu
