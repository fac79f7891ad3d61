#pragma once

namespace cornu::detail {

/// Makes sure that OpenBLAS has a buffer for products of the calling thread. Later calls return at once.
/// `one_at_a_time`: OpenBLAS runs one product at a time, so that all threads share one buffer; the caller holds the
/// lock that serializes the products. Throws std::bad_alloc if there is no address space left for a buffer.
///
/// OpenBLAS maps a buffer of 128 MiB for each concurrent product and keeps it. Version 0.3.21 retries a failed mmap
/// forever, so the mapping must be tried before OpenBLAS does it.
void require_blas_buffer(bool one_at_a_time);

}  // namespace cornu::detail
