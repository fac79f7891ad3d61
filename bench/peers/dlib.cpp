// The workloads in dlib. dlib's networks are types, so each workload has its own.

#include <dlib/dnn.h>

#include <numeric>

#include "cornu/bench/workload.h"
#include "cornu/core/error.h"
#include "cornu/core/random.h"

namespace bench = cornu::bench;
using cornu::Index;
using Image = dlib::matrix<float>;

namespace {

template <long filters, long size, int padding, class Below>
using detail::Convolution = dlib::relu<dlib::add_layer<dlib::con_<filters, size, size, 1, 1, padding, padding>, Below>>;
template <class Below>
using Pool = dlib::max_pool<2, 2, 2, 2, Below>;

using Images = dlib::input<Image>;
using Mlp = dlib::loss_multiclass_log<dlib::fc<10, dlib::relu<dlib::fc<128, Images>>>>;
using WideMlp = dlib::loss_multiclass_log<dlib::fc<10, dlib::relu<dlib::fc<1024, dlib::relu<dlib::fc<1024, Images>>>>>>;
using Regression = dlib::loss_multiclass_log<dlib::fc<10, Images>>;
using LeNet = dlib::loss_multiclass_log<
    dlib::fc<10, dlib::relu<dlib::fc<
                     84, dlib::relu<dlib::fc<
                             120, Pool<detail::Convolution<16, 5, 0, Pool<detail::Convolution<6, 5, 2, Images>>>>>>>>>>;
using ConvNet = dlib::loss_multiclass_log<dlib::fc<
    10, dlib::relu<dlib::fc<128, Pool<detail::Convolution<64, 3, 0, detail::Convolution<32, 3, 0, Images>>>>>>>;

struct Samples {
  std::vector<Image> x;
  std::vector<unsigned long> y;

  explicit Samples(const cornu::ImageDataset& data) {
    for (Index row = 0; row < data.size(); ++row) {
      Image image(28, 28);
      const auto pixels = data.image(row);
      std::transform(pixels.begin(), pixels.end(), image.begin(), [](std::uint8_t pixel) { return pixel / 255.F; });
      x.push_back(std::move(image));
      y.push_back(static_cast<unsigned long>(data.label(row)));
    }
  }
};

template <class Net>
bench::Result train(const bench::Options& options, const Samples& train, const Samples& test) {
  const bench::Workload& workload = options.workload;
  bench::Result result{.samples = static_cast<Index>(train.x.size())};
  Net net;
  std::vector<dlib::sgd> solvers(Net::num_computational_layers, dlib::sgd(0, 0));
  dlib::resizable_tensor batch;
  std::vector<Image> images(static_cast<std::size_t>(workload.batch));
  std::vector<unsigned long> labels(images.size());
  std::vector<Index> order(train.x.size());
  std::iota(order.begin(), order.end(), Index{0});
  cornu::Rng rng(options.seed);
  const bool all_at_once = images.size() == order.size();  // full batch: no shuffling, and a single tensor
  if (all_at_once) {
    net.to_tensor(train.x.begin(), train.x.end(), batch);
    labels = train.y;
  }
  for (Index epoch = 0; epoch < workload.epochs; ++epoch) {
    const double begin = bench::now();
    if (!all_at_once) rng.shuffle(order);
    for (std::size_t first = 0; first < order.size(); first += images.size()) {
      if (!all_at_once) {
        const std::size_t rows = std::min(images.size(), order.size() - first);
        for (std::size_t i = 0; i < rows; ++i) {
          images[i] = train.x[static_cast<std::size_t>(order[first + i])];
          labels[i] = train.y[static_cast<std::size_t>(order[first + i])];
        }
        net.to_tensor(images.begin(), images.begin() + static_cast<Index>(rows), batch);
      }
      net.compute_parameter_gradients(batch, labels.begin());
      net.update_parameters(solvers, workload.learning_rate);
    }
    result.epoch_seconds.push_back(bench::now() - begin);
  }
  const std::vector<unsigned long> predicted = net(test.x, 1000);
  const auto right = std::inner_product(predicted.begin(), predicted.end(), test.y.begin(), 0, std::plus<>{},
                                        [](auto a, auto b) { return a == b ? 1 : 0; });
  result.test_accuracy = static_cast<double>(right) / static_cast<double>(predicted.size());
  return result;
}

template <class Net>
bench::Result predict(const Samples& test) {
  bench::Result result;
  Net net;
  dlib::resizable_tensor batch;
  bench::measure_predictions(result, [&](Index first, Index rows) {
    const auto begin = test.x.begin() + first;
    net.to_tensor(begin, begin + rows, batch);
    net.subnet().forward(batch);
  });
  return result;
}

template <class Net>
bench::Result measure(const bench::Options& options) {
  const bench::Data data = bench::load(options);
  const Samples samples(data.train), test(data.test);
  bench::Result result = options.workload.samples > 0 ? train<Net>(options, samples, test) : predict<Net>(test);
  result.data = data.name;
  return result;
}

bench::Result measure_any(const bench::Options& options) {
  const bench::Network& network = options.workload.network;
  switch (network.images) {
    case bench::Network::Images::lenet:
      return measure<LeNet>(options);
    case bench::Network::Images::convnet:
      return measure<ConvNet>(options);
    case bench::Network::Images::none:
      break;
  }
  if (network.dense.size() == 2) return measure<Regression>(options);
  return network.dense.size() == 3 ? measure<Mlp>(options) : measure<WideMlp>(options);
}

}  // namespace

int main(int argc, char** argv) { return bench::run("dlib", argc, argv, measure_any); }
