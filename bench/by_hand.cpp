// A handwritten trainer for these networks, without a framework: plain loops, and the library's matrix product.

#include <cmath>
#include <numeric>

#include "cornu/bench/workload.h"
#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/random.h"

using namespace cornu;
using namespace cornu::bench;

namespace {

struct Layer {
  Tensor w, b, dw, db;  // (inputs, outputs), (outputs)
  Tensor y, dy;         // (batch, outputs): after ReLU, except for the last layer

  Layer(Index inputs, Index outputs, Index batch, Rng& rng)
      : w({inputs, outputs}),
        b(Shape{outputs}),
        dw({inputs, outputs}),
        db(Shape{outputs}),
        y({batch, outputs}),
        dy({batch, outputs}) {
    const Real limit = std::sqrt(Real{6} / static_cast<Real>(inputs + outputs));
    rng.fill_uniform(w, -limit, limit);
  }

  Index inputs() const { return w.shape()[0]; }
  Index outputs() const { return w.shape()[1]; }
};

class Trainer {
 public:
  Trainer(const std::vector<Index>& sizes, Index batch, Real learning_rate, Rng& rng) : learning_rate_(learning_rate) {
    for (std::size_t i = 1; i < sizes.size(); ++i) layers_.emplace_back(sizes[i - 1], sizes[i], batch, rng);
  }

  void forward(const Real* x, Index rows) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      const Index n = layer.outputs();
      gemm({x, rows, layer.inputs()}, layer.w.view(), overwrite(View(layer.y.data(), {rows, n})));
      const Real* const b = layer.b.data();
      for (Index row = 0; row < rows; ++row) {
        Real* const y = layer.y.data() + row * n;
        if (i + 1 < layers_.size()) {
          for (Index j = 0; j < n; ++j) y[j] = std::max(y[j] + b[j], Real{0});
        } else {
          for (Index j = 0; j < n; ++j) y[j] += b[j];
        }
      }
      x = layer.y.data();
    }
  }

  /// One image. A batch of one is bound by memory; most pixels are zero, and their rows of w are skipped.
  void forward_one(const Real* x) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      Layer& layer = layers_[i];
      const Index n = layer.outputs();
      Real* const __restrict y = layer.y.data();
      std::copy(layer.b.begin(), layer.b.end(), y);
      for (Index k = 0; k < layer.inputs(); ++k) {
        const Real factor = x[k];
        if (factor == 0) continue;
        const Real* const w = layer.w.data() + k * n;
        for (Index j = 0; j < n; ++j) y[j] += factor * w[j];
      }
      if (i + 1 < layers_.size()) {
        for (Index j = 0; j < n; ++j) y[j] = std::max(y[j], Real{0});
      }
      x = y;
    }
  }

  /// Returns the mean cross-entropy and replaces the logits in the last layer by their gradient.
  Real loss(const std::uint8_t* labels, const Index* rows_of_batch, Index rows) {
    Layer& last = layers_.back();
    const Index n = last.outputs();
    Real total = 0;
    for (Index row = 0; row < rows; ++row) {
      const Real* const z = last.y.data() + row * n;
      Real* const dz = last.dy.data() + row * n;
      const Real largest = *std::max_element(z, z + n);
      Real sum = 0;
      for (Index j = 0; j < n; ++j) sum += dz[j] = std::exp(z[j] - largest);
      const Index label = labels[rows_of_batch[row]];
      total += std::log(sum) + largest - z[label];
      const Real scale = 1 / (sum * static_cast<Real>(rows));
      for (Index j = 0; j < n; ++j) dz[j] *= scale;
      dz[label] -= 1 / static_cast<Real>(rows);
    }
    return total / static_cast<Real>(rows);
  }

  void backward(const Real* images, Index rows) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      Layer& layer = layers_[i];
      const Index n = layer.outputs();
      const MatrixView dy(layer.dy.data(), rows, n);
      const Real* const x = i > 0 ? layers_[i - 1].y.data() : images;
      gemm(transposed({x, rows, layer.inputs()}), dy, overwrite(layer.dw));
      layer.db.fill(0);
      for (Index row = 0; row < rows; ++row) {
        for (Index j = 0; j < n; ++j) layer.db[j] += dy.data[row * n + j];
      }
      if (i > 0) {
        Real* const dx = layers_[i - 1].dy.data();
        gemm(dy, transposed(layer.w.view()), overwrite(View(dx, {rows, layer.inputs()})));
        for (Index k = 0; k < rows * layer.inputs(); ++k) dx[k] = x[k] > 0 ? dx[k] : 0;
      }
      descend(layer.w, layer.dw);
      descend(layer.b, layer.db);
    }
  }

  const Tensor& logits() const { return layers_.back().y; }

 private:
  void descend(Tensor& parameter, const Tensor& gradient) const {
    Real* const p = parameter.data();
    const Real* const g = gradient.data();
    const Real rate = learning_rate_;
    for (Index i = 0; i < parameter.size(); ++i) p[i] -= rate * g[i];
  }

  std::vector<Layer> layers_;
  Real learning_rate_;
};

/// x (rows, 784) = the pixels of the given rows, scaled to [0, 1].
void gather(const ImageDataset& data, const Index* rows, Index count, Real* x) {
  for (Index i = 0; i < count; ++i) {
    const std::uint8_t* const pixels = data.pixels().data() + rows[i] * 784;
    for (Index j = 0; j < 784; ++j) x[i * 784 + j] = static_cast<Real>(pixels[j]) * (1 / Real{255});
  }
}

Index count_right(const Tensor& logits, const std::uint8_t* labels, const Index* rows_of_batch, Index rows) {
  Index right = 0;
  for (Index row = 0; row < rows; ++row) {
    const Real* const z = logits.data() + row * 10;
    right += std::max_element(z, z + 10) - z == labels[rows_of_batch[row]] ? 1 : 0;
  }
  return right;
}

double accuracy(Trainer& trainer, const ImageDataset& test, Index batch, Tensor& x) {
  std::vector<Index> rows(static_cast<std::size_t>(test.size()));
  std::iota(rows.begin(), rows.end(), Index{0});
  Index right = 0;
  for (Index first = 0; first < test.size(); first += batch) {
    const Index count = std::min(batch, test.size() - first);
    gather(test, rows.data() + first, count, x.data());
    trainer.forward(x.data(), count);
    right += count_right(trainer.logits(), test.labels().data(), rows.data() + first, count);
  }
  return static_cast<double>(right) / static_cast<double>(test.size());
}

Result train(const Options& options, const Data& data) {
  const Workload& workload = options.workload;
  Result result{.data = data.name, .samples = data.train.size()};
  const Index batch = workload.batch;
  Rng rng(options.seed);
  Trainer trainer(workload.network.dense, batch, static_cast<Real>(workload.learning_rate), rng);
  Tensor x({batch, 784});
  std::vector<Index> order(static_cast<std::size_t>(data.train.size()));
  std::iota(order.begin(), order.end(), Index{0});
  const bool all_at_once = batch == data.train.size();  // full batch: no shuffling, and one gather for all epochs
  if (all_at_once) gather(data.train, order.data(), batch, x.data());

  for (Index epoch = 0; epoch < workload.epochs; ++epoch) {
    const double begin = now();
    if (!all_at_once) rng.shuffle(order);
    double loss = 0;
    Index right = 0;
    for (Index first = 0; first < data.train.size(); first += batch) {
      const Index rows = std::min(batch, data.train.size() - first);
      const Index* const of_batch = order.data() + first;
      if (!all_at_once) gather(data.train, of_batch, rows, x.data());
      trainer.forward(x.data(), rows);
      const Real of_this = trainer.loss(data.train.labels().data(), of_batch, rows);
      loss += static_cast<double>(of_this) * static_cast<double>(rows);
      right += count_right(trainer.logits(), data.train.labels().data(), of_batch, rows);
      trainer.backward(x.data(), rows);
    }
    result.epoch_seconds.push_back(now() - begin);
    require<ValueError>(std::isfinite(loss) && right > 0, "the loss is {}", loss);
  }
  result.test_accuracy = accuracy(trainer, data.test, batch, x);
  return result;
}

Result predict(const Options& options, const Data& data) {
  Result result{.data = data.name};
  Rng rng(options.seed);
  Trainer trainer(options.workload.network.dense, 1000, 0, rng);
  const Tensor images = tensors(data.test, prediction_images).first;
  measure_predictions(result, [&](Index first, Index rows) {
    const Real* const x = images.data() + first * 784;
    if (rows == 1) {
      trainer.forward_one(x);
    } else {
      trainer.forward(x, rows);
    }
  });
  return result;
}

Result measure(const Options& options) {
  require<ValueError>(options.workload.network.images == Network::Images::none, "{}: only dense layers are implemented",
                      options.workload.name);
  require<ValueError>(options.threads == 1, "only one thread is supported, not {}", options.threads);
  const Data data = load(options);
  return options.workload.samples > 0 ? train(options, data) : predict(options, data);
}

}  // namespace

int main(int argc, char** argv) { return run("by_hand", argc, argv, measure); }
