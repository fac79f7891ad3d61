// A prediction of the exported model.
#include <model.h>

#include "cornu/tests/embedded/program.h"

const std::size_t input_count = model::input_size, output_count = model::output_size;
float input[model::input_size], output[model::output_size];
static model::Workspace workspace;

void run() { model::predict(input, output, workspace); }
