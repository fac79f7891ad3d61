// The program whose size is measured: nothing but the computation and the startup code.
#include "cornu/tests/embedded/program.h"

void start() {
  for (;;) run();
}
