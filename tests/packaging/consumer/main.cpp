#include <cornu/cornu.h>

#include <cstdio>

int main() {
  cornu::Rng rng(1);
  cornu::Tensor tensor({2, 3});
  rng.fill_normal(tensor, 0, 1);
  std::puts(to_string(tensor).c_str());
  try {
    tensor.reshape({4, 2});
  } catch (const cornu::ShapeError& error) {
    std::puts(error.what());
    return 0;
  }
  return 1;
}
