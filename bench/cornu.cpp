// Cornu as its users use it: a Sequential, compile, fit, evaluate and predict.

#include <cornu/cornu.h>

#include "cornu/bench/workload.h"

using namespace cornu;
using namespace cornu::bench;

namespace {

Sequential model_of(const Workload& workload, std::uint64_t seed) {
  const Network& network = workload.network;
  require<ValueError>(network.images == Network::Images::none, "{}: there are no convolutions yet", workload.name);
  Sequential model({Input{28, 28}, Flatten{}}, {.seed = seed});
  for (std::size_t i = 1; i + 1 < network.dense.size(); ++i) model.add(Dense{network.dense[i], relu});
  model.add(Dense{network.dense.back(), softmax});
  return model;
}

/// Notes how long each epoch takes.
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
  FitOptions fit_options{.batch_size = workload.batch,
                         .epochs = workload.epochs,
                         .verbose = Verbose::silent,
                         .callbacks = {&timer},
                         .shuffle = workload.batch < data.train.size(),
                         .seed = options.seed};
  [&](auto& fit) {
    if constexpr (requires { fit.threads; }) fit.threads = options.threads;
  }(fit_options);
  model.fit(data.train, fit_options);
  return {.data = data.name,
          .samples = data.train.size(),
          .epoch_seconds = timer.seconds,
          .test_accuracy = model.evaluate(data.test)["accuracy"]};
}

/// A forward pass on a tape that is warm, which is what a program does that has a request to answer.
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
