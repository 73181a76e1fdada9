#pragma once
#include <cstddef>

namespace spikellm {

/// Weights are read as streams, which pages of this size make faster by a quarter and more; Linux gives them to those who
/// ask. Blocks below it are left to the C library.
constexpr size_t LARGE_PAGE = size_t{2} << 20;

/// Zeros, on large pages where there are such; null where there is no memory.
void* allocateZeros(size_t bytes);
/// Gives them back; `bytes` as they were asked for.
void freeZeros(void* block, size_t bytes);

}  // namespace spikellm
