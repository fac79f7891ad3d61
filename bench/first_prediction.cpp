// Builds the MNIST classifier and predicts once. ./dev bench measures the time from the start of the process to its
// output.

#include <cornu/cornu.h>

#include <cstdio>

using namespace cornu;

int main() {
  const Sequential model{Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10}, Softmax{}};
  const Tensor prediction = model.predict(Tensor::full({1, 28, 28}, 0.5));
  std::printf("{\"program\": \"first_prediction\", \"probability\": %g}\n", prediction[0]);
}
