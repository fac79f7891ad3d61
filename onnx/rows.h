#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/onnx/op_writer.h"
#include "cornu/onnx/writer.h"

/// How the ops of a trace are written: one row for each.
namespace cornu::onnx::detail {

/// Rows by the names of ops, from each file of rows.
using OpRows = std::vector<std::pair<std::string, OpRow>>;
OpRows arithmetic_rows();
OpRows image_rows();
OpRows indexing_rows();
OpRows sequence_rows();
OpRows shape_rows();

/// Where an axis is once the channels come first.
inline Index channels_first_axis(Index axis, Index rank) { return axis == 0 ? 0 : axis == rank - 1 ? 1 : axis + 1; }

/// Makes the concatenation of the outputs of two recurrent ops, one in each direction, one op "bidirectional", as a
/// Bidirectional calls them. The two ops stay in the trace, without a reader.
void merge_directions(Trace& trace);

/// The row of an op; null if there is none.
const OpRow* row_of(std::string_view op);
/// The names of all ops that have a row, sorted.
std::vector<std::string> op_names();

/// Writes the graph of a trace: inputs ("input", or "input_1", "input_2", ...), nodes, and outputs, which are called
/// alike. Throws ValueError, naming layer and op, for an op without a row.
void write_graph(Trace trace, Writer& writer, Index opset);

}  // namespace cornu::onnx::detail
