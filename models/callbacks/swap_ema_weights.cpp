#include "cornu/models/callbacks/swap_ema_weights.h"

#include "cornu/models/sequential.h"

namespace cornu {

void SwapEMAWeights::on_test_begin(Run& run, Logs&) const { run.model.optimizer().swap_averages(); }
void SwapEMAWeights::on_test_end(Run& run, Logs&) const { run.model.optimizer().swap_averages(); }
void SwapEMAWeights::on_predict_begin(Run& run, Logs&) const { run.model.optimizer().swap_averages(); }
void SwapEMAWeights::on_predict_end(Run& run, Logs&) const { run.model.optimizer().swap_averages(); }

}  // namespace cornu
