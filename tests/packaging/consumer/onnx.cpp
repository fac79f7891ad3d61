#include <cornu/cornu.h>
#include <cornu/onnx/description.h>
#include <cornu/onnx/model.h>
#include <cornu/onnx/save.h>

#include <cstdio>
#include <string>

using namespace cornu;

int main() {
  const Sequential model{Input{8, 8, 1}, Conv2D{.filters = 2, .kernel_size = 3}, Flatten{}, Dense{3, softmax}};
  const std::string bytes = onnx::serialize(model);
  if (!onnx::describe(bytes, "model").unsupported.empty()) return 1;
  const onnx::Model read = onnx::parse(bytes);
  const Tensor x = Tensor::full({1, 8, 8, 1}, 1), y = model.predict(x), z = read.predict(x);
  std::printf("%g and %g\n", static_cast<double>(y[0]), static_cast<double>(z[0]));
  const Real difference = y[0] - z[0];
  return difference * difference < Real(1e-10) ? 0 : 1;
}
