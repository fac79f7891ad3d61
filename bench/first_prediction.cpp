// A program that makes the MNIST classifier and predicts once: ./dev bench measures how long it takes from its start to
// the line that it prints.

#include <cornu/cornu.h>

#include <cstdio>

using namespace cornu;

int main() {
  const Sequential model{Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10}, Softmax{}};
  const Tensor prediction = model.predict(Tensor::full({1, 28, 28}, 0.5));
  std::printf("{\"program\": \"first_prediction\", \"probability\": %g}\n", prediction[0]);
}
