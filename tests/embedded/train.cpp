// A training step of the exported model on one sample: input and target. The output is the loss, and a prediction after
// the step.
#include <model.h>

#include "cornu/tests/embedded/program.h"

const std::size_t input_count = model::input_size + model::target_size, output_count = 1 + model::output_size;
float input[input_count], output[output_count];
static model::Trainer trainer;
static model::Workspace workspace;
static bool is_ready = false;

void run() {
  if (!is_ready) model::reset(trainer);
  is_ready = true;
  output[0] = model::train_step(input, input + model::input_size, trainer);
  model::predict(input, output + 1, trainer.weights, workspace);
}
