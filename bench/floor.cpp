// The lower bound of a workload: only its matrix products, in preallocated buffers. With two threads, each processes
// half of each batch, without synchronisation.

#include <thread>

#include "cornu/bench/workload.h"
#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/random.h"

using namespace cornu;
using namespace cornu::bench;

namespace {

/// The products of one layer: y = x w, dw = x' dy, dx = dy w'. The rows of a convolution are the patches of its images.
class Products {
 public:
  Products(Index most_rows, Index inputs, Index outputs, bool first)
      : first_(first),
        x_({most_rows, inputs}),
        w_({inputs, outputs}),
        y_({most_rows, outputs}),
        dx_({first ? 0 : most_rows, inputs}),
        dw_({inputs, outputs}) {
    Rng rng(1);
    rng.fill_uniform(x_, 0, 1);
    rng.fill_uniform(w_, -0.1F, 0.1F);
  }

  void forward(Index rows) { gemm(x(rows), w_.view(), Sink(View(y_.data(), {rows, w_.shape()[1]}), false)); }

  void backward(Index rows) {
    const MatrixView dy(y_.data(), rows, w_.shape()[1]);
    gemm(transposed(x(rows)), dy, overwrite(dw_));
    if (!first_) gemm(dy, transposed(w_.view()), Sink(View(dx_.data(), {rows, w_.shape()[0]}), false));
  }

 private:
  MatrixView x(Index rows) const { return {x_.data(), rows, w_.shape()[0]}; }

  bool first_;  // the gradient of the images is not needed
  Tensor x_, w_, y_, dx_, dw_;
};

/// A convolution as products, in chunks of images whose patches fit the cache.
struct Layer {
  Index patches;  // per image; 1 in a dense layer
  Index inputs, outputs;
  Index chunk;  // images per product
};

std::vector<Layer> layers_of(const Network& network, Index batch) {
  std::vector<Layer> layers;
  const auto convolution = [&](Index side, Index inputs, Index outputs) {
    constexpr Index cache = 1 << 18;  // elements: one megabyte of patches
    const Index chunk = std::max<Index>(1, cache / (side * side * inputs));
    layers.push_back({side * side, inputs, outputs, std::min(chunk, batch)});
  };
  if (network.images == Network::Images::lenet) {
    convolution(28, 5 * 5, 6);
    convolution(10, 5 * 5 * 6, 16);
  } else if (network.images == Network::Images::convnet) {
    convolution(26, 3 * 3, 32);
    convolution(24, 3 * 3 * 32, 64);
  }
  for (std::size_t i = 1; i < network.dense.size(); ++i) {
    layers.push_back({1, network.dense[i - 1], network.dense[i], batch});
  }
  return layers;
}

class Step {
 public:
  Step(const Network& network, Index batch) : layers_(layers_of(network, batch)) {
    for (const Layer& layer : layers_) {
      products_.emplace_back(layer.chunk * layer.patches, layer.inputs, layer.outputs, products_.empty());
    }
  }

  void forward(Index batch) { each_chunk(batch, &Products::forward); }
  void backward(Index batch) { each_chunk(batch, &Products::backward); }

 private:
  void each_chunk(Index batch, void (Products::*call)(Index)) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      for (Index done = 0; done < batch; done += layers_[i].chunk) {
        (products_[i].*call)(std::min(layers_[i].chunk, batch - done) * layers_[i].patches);
      }
    }
  }

  std::vector<Layer> layers_;
  std::vector<Products> products_;
};

Result measure(const Options& options) {
  const Workload& workload = options.workload;
  require<ValueError>(options.threads > 0, "threads is {}; it must be at least 1", options.threads);
  Result result;
  if (workload.samples == 0) {
    Step one(workload.network, 1), all(workload.network, prediction_images);
    measure_predictions(result, [&](Index, Index rows) { (rows == 1 ? one : all).forward(rows); });
    return result;
  }
  result.samples = workload.samples;
  const auto share = [&](Index batch) { return (batch + options.threads - 1) / options.threads; };
  std::vector<Step> steps(static_cast<std::size_t>(options.threads), Step(workload.network, share(workload.batch)));
  const auto epoch = [&](Step& step) {
    for (Index done = 0; done < result.samples; done += workload.batch) {
      const Index batch = share(std::min(workload.batch, result.samples - done));
      step.forward(batch);
      step.backward(batch);
    }
  };
  for (Index i = 0; i < workload.epochs; ++i) {
    const double begin = now();
    std::vector<std::jthread> others;
    for (std::size_t thread = 1; thread < steps.size(); ++thread) {
      others.emplace_back([&epoch, &step = steps[thread]] { epoch(step); });
    }
    epoch(steps[0]);
    others.clear();  // joins them
    result.epoch_seconds.push_back(now() - begin);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) { return run("floor", argc, argv, measure); }
