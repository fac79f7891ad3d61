// Repeatedly loads the plugin from two files, uses both at the same time and unloads them: host A.so B.so
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <thread>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  double first = -1;
  for (int round = 0; round < 3; ++round) {
    std::array<void*, 2> plugins{};
    std::array<double, 2> losses{};
    {
      std::array<std::jthread, 2> threads;
      for (std::size_t i = 0; i < 2; ++i) {
        plugins[i] = dlopen(argv[i + 1], RTLD_NOW | RTLD_LOCAL);
        if (plugins[i] == nullptr) {
          std::printf("%s\n", dlerror());
          return 1;
        }
        const auto train = reinterpret_cast<double (*)()>(dlsym(plugins[i], "train_and_evaluate"));
        if (train == nullptr) return 1;
        threads[i] = std::jthread([train, &loss = losses[i]] { loss = train(); });
      }
    }
    for (void* plugin : plugins) dlclose(plugin);
    if (round == 0) first = losses[0];
    std::printf("round %d: %.6f and %.6f\n", round, losses[0], losses[1]);
    if (losses[0] < 0 || losses[0] != first || losses[1] != first) return 1;
  }
}
