#pragma once

#include <cstddef>

// What a program computes, defined by predict.cpp: `run` computes `output` from `input`.

extern const std::size_t input_count, output_count;
extern float input[], output[];
void run();

// Called by startup.cpp. Defined by minimal.cpp and measure.cpp.
[[noreturn]] void start();
