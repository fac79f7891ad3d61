// The workloads in libtorch, PyTorch's C++ API.

#include <torch/torch.h>

#include "cornu/bench/workload.h"

namespace bench = cornu::bench;
using cornu::Index;

namespace {

using Images = bench::Network::Images;

torch::nn::Sequential network_of(const bench::Network& network) {
  namespace nn = torch::nn;
  nn::Sequential model;
  const auto convolution = [&](Index inputs, Index outputs, Index kernel, Index padding) {
    model->push_back(nn::Conv2d(nn::Conv2dOptions(inputs, outputs, kernel).padding(padding)));
    model->push_back(nn::ReLU());
  };
  if (network.images == Images::lenet) {
    convolution(1, 6, 5, 2);
    model->push_back(nn::MaxPool2d(2));
    convolution(6, 16, 5, 0);
    model->push_back(nn::MaxPool2d(2));
    model->push_back(nn::Flatten());
  } else if (network.images == Images::convnet) {
    convolution(1, 32, 3, 0);
    convolution(32, 64, 3, 0);
    model->push_back(nn::MaxPool2d(2));
    model->push_back(nn::Flatten());
  }
  for (std::size_t i = 1; i < network.dense.size(); ++i) {
    if (i > 1) model->push_back(nn::ReLU());
    model->push_back(nn::Linear(network.dense[i - 1], network.dense[i]));
  }
  return model;
}

struct Samples {
  torch::Tensor x, y;

  Samples(const cornu::ImageDataset& data, Images images) {
    auto [features, labels] = bench::tensors(data, data.size());
    const auto owner = std::make_shared<cornu::Tensor>(std::move(features));
    x = torch::from_blob(owner->data(), {data.size(), 784}, [owner](void*) {});
    y = torch::from_blob(labels.data(), {data.size()}).to(torch::kLong);
    if (images != Images::none) x = x.reshape({-1, 1, 28, 28});
  }
};

bench::Result train(const bench::Options& options, torch::nn::Sequential model, const Samples& train,
                    const Samples& test) {
  const bench::Workload& workload = options.workload;
  bench::Result result{.samples = train.x.size(0)};
  torch::optim::SGD optimizer(model->parameters(), workload.learning_rate);
  const auto step = [&](const torch::Tensor& x, const torch::Tensor& y) {
    const auto loss = torch::nn::functional::cross_entropy(model->forward(x), y);
    model->zero_grad(/*set_to_none=*/true);
    loss.backward();
    optimizer.step();
  };
  for (Index epoch = 0; epoch < workload.epochs; ++epoch) {
    const double begin = bench::now();
    if (workload.batch == result.samples) {
      step(train.x, train.y);
    } else {
      for (const auto& rows : torch::randperm(result.samples).split(workload.batch)) {
        step(train.x.index_select(0, rows), train.y.index_select(0, rows));
      }
    }
    result.epoch_seconds.push_back(bench::now() - begin);
  }
  const torch::InferenceMode inference;
  Index right = 0;
  for (Index first = 0; first < test.x.size(0); first += 1000) {
    const auto predicted = model->forward(test.x.slice(0, first, first + 1000)).argmax(1);
    right += predicted.eq(test.y.slice(0, first, first + 1000)).sum().item<Index>();
  }
  result.test_accuracy = static_cast<double>(right) / static_cast<double>(test.x.size(0));
  return result;
}

bench::Result predict(torch::nn::Sequential model, const Samples& test) {
  const torch::InferenceMode inference;
  bench::Result result;
  bench::measure_predictions(result,
                             [&](Index first, Index rows) { model->forward(test.x.slice(0, first, first + rows)); });
  return result;
}

bench::Result measure(const bench::Options& options) {
  torch::set_num_threads(options.threads);
  torch::manual_seed(options.seed);
  const auto model = network_of(options.workload.network);
  const auto [samples, test, name] = [&]() -> std::tuple<Samples, Samples, std::string> {
    const bench::Data data = bench::load(options);
    const Images images = options.workload.network.images;
    return {Samples(data.train, images), Samples(data.test, images), data.name};
  }();
  bench::Result result = options.workload.samples > 0 ? train(options, model, samples, test) : predict(model, test);
  result.data = name;
  return result;
}

}  // namespace

int main(int argc, char** argv) { return bench::run("libtorch", argc, argv, measure); }
