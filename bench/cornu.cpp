// Cornu through its public interface: Sequential, compile, fit, evaluate and predict.

#include <cornu/cornu.h>

#include "cornu/bench/workload.h"

using namespace cornu;
using namespace cornu::bench;

namespace {

Sequential model_of(const Workload& workload, std::uint64_t seed) {
  const Network& network = workload.network;
  Sequential model({Input{28, 28}}, {.seed = seed});
  if (network.images != Network::Images::none) model.add(Reshape{28, 28, 1});
  if (network.images == Network::Images::lenet) {
    model.add(Conv2D{.filters = 6, .kernel_size = 5, .padding = Padding::same, .activation = relu});
    model.add(MaxPooling2D{});
    model.add(Conv2D{.filters = 16, .kernel_size = 5, .activation = relu});
    model.add(MaxPooling2D{});
  } else if (network.images == Network::Images::convnet) {
    model.add(Conv2D{.filters = 32, .kernel_size = 3, .activation = relu});
    model.add(Conv2D{.filters = 64, .kernel_size = 3, .activation = relu});
    model.add(MaxPooling2D{});
  }
  model.add(Flatten{});
  for (std::size_t i = 1; i + 1 < network.dense.size(); ++i) model.add(Dense{network.dense[i], relu});
  model.add(Dense{network.dense.back(), softmax});
  return model;
}

/// Records the duration of each epoch.
struct EpochTimer {
  std::vector<double> seconds;
  double begin = 0;

  void on_epoch_begin(Run&, Index, Logs&) { begin = now(); }
  void on_epoch_end(Run&, Index, Logs&) { seconds.push_back(now() - begin); }
};

Result train(const Options& options, const Data& data) {
  const Workload& workload = options.workload;
  Sequential model = model_of(workload, options.seed);
  model.compile({.optimizer = SGD{.learning_rate = workload.learning_rate},
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}}});
  EpochTimer timer;
  model.fit(data.train, {.batch_size = workload.batch,
                         .epochs = workload.epochs,
                         .verbose = Verbose::silent,
                         .callbacks = {&timer},
                         .shuffle = workload.batch < data.train.size(),
                         .seed = options.seed,
                         .threads = options.threads});
  return {.data = data.name,
          .samples = data.train.size(),
          .epoch_seconds = timer.seconds,
          .test_accuracy = model.evaluate(data.test)["accuracy"]};
}

/// Forward passes on a warm tape, as in a program that answers requests.
Result predict(const Options& options, const Data& data) {
  const Sequential model = model_of(options.workload, options.seed);
  const Tensor images = tensors(data.test, prediction_images).first;
  Tape tape(Mode::inference);
  Result result{.data = data.name};
  measure_predictions(result, [&](Index first, Index rows) {
    tape.clear();
    model.forward(tape.input(ConstView(images.data() + first * 784, {rows, 28, 28})));
  });
  return result;
}

Result measure(const Options& options) {
  const Data data = load(options);
  return options.workload.samples > 0 ? train(options, data) : predict(options, data);
}

}  // namespace

int main(int argc, char** argv) { return run("cornu", argc, argv, measure); }
