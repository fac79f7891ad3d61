#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "cornu/core/communicator.h"
#include "cornu/datasets/dataset.h"

/// Several processes, on one machine or many, that train one model: the library cornu::mpi. See docs/mpi.md.
namespace cornu::mpi {

/// All processes that mpirun, or another launcher of MPI, has started; this process alone if none has. The first call
/// initializes MPI, unless the program has done so; at the end of the program, it is finalized.
///
///     model.fit(train, {.distribution = mpi::world()});
///
/// From the first call on, an exception that nobody catches ends all processes, with one message that names the rank,
/// and so does the end of a process with an exit status other than 0 while others go on. Throws StateError if MPI was
/// initialized without support for threads or is finalized.
Distribution world();

/// The samples of this rank: a range as long as that of the other ranks, or one sample longer. It refers to the
/// dataset.
DatasetSlice part(DatasetRef dataset, const Distribution& ranks);

namespace detail {
/// Calls `task` on one rank of each node first, then on the others.
void first_on_node(const std::function<void()>& task);
}  // namespace detail

/// Returns load() on each rank. On each node, one rank calls it before the others, so that a file is downloaded once:
/// `const auto mnist = mpi::once_per_node([] { return datasets::mnist(); });`
template <std::invocable Load>
auto once_per_node(Load load) {
  std::optional<std::invoke_result_t<Load>> result;
  detail::first_on_node([&] { result.emplace(load()); });
  return *std::move(result);
}

}  // namespace cornu::mpi
