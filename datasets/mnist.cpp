#include "cornu/datasets/mnist.h"

#include "cornu/datasets/mnist_files.h"

namespace cornu::datasets {

Mnist mnist(const MnistOptions& options) {
  // Hashes of the files as LeCun published them; both mirrors carry the same files, and TensorFlow Datasets
  // (url_checksums/mnist.txt) and others pin the same hashes.
  static const MnistSource source{
      .name = "mnist",
      .train_images{"train-images-idx3-ubyte", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    9'912'422},
      .train_labels{"train-labels-idx1-ubyte", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    28'881},
      .test_images{"t10k-images-idx3-ubyte", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                   1'648'877},
      .test_labels{"t10k-labels-idx1-ubyte", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4'542},
      .mirrors{"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
      .class_names{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}};
  return mnist_like(source, options);
}

Mnist fashion_mnist(const MnistOptions& options) {
  // Hashes and sizes as in TensorFlow Datasets (url_checksums/fashion_mnist.txt). Keras (datasets/fashion_mnist.py) and
  // Flux.jl (src/data/fashion-mnist.jl) have the same hashes; the authors publish MD5 only. Their own server has no
  // https and is therefore not among the mirrors.
  static const MnistSource source{
      .name = "fashion-mnist",
      .train_images{"train-images-idx3-ubyte", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    26'421'880},
      .train_labels{"train-labels-idx1-ubyte", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    29'515},
      .test_images{"t10k-images-idx3-ubyte", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                   4'422'102},
      .test_labels{"t10k-labels-idx1-ubyte", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5'148},
      .mirrors{"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
               "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"},
      .class_names{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                   "Ankle boot"}};
  return mnist_like(source, options);
}

Mnist mnist_like(const MnistSource& source, const MnistOptions& options) {
  const detail::MnistPaths paths = detail::find_mnist(source, options);
  const auto classes = static_cast<Index>(source.class_names.size());
  const ImageOptions images{.shape{28, 28}, .classes = classes, .class_names = source.class_names};
  return {.train = detail::load_images(paths.train_images, paths.train_labels, images),
          .test = detail::load_images(paths.test_images, paths.test_labels, images)};
}

}  // namespace cornu::datasets
