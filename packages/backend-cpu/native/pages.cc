#include "pages.h"

#include <cstdint>
#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace spikellm {

#ifdef __linux__
namespace {
/// A multiple of every usual page size.
constexpr size_t PAGE = size_t{64} << 10;

size_t mappedBytes(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }
}  // namespace

void* allocateZeros(size_t bytes) {
  if (bytes < LARGE_PAGE) return std::calloc(bytes, 1);
  const size_t mapped = mappedBytes(bytes);
  void* memory = mmap(nullptr, mapped + LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* start = static_cast<uint8_t*>(memory);
  const size_t before = (LARGE_PAGE - reinterpret_cast<uintptr_t>(start) % LARGE_PAGE) % LARGE_PAGE;
  if (before > 0) munmap(start, before);
  munmap(start + before + mapped, LARGE_PAGE - before);
  madvise(start + before, mapped, MADV_HUGEPAGE);
  return start + before;
}
void freeZeros(void* block, size_t bytes) {
  if (bytes < LARGE_PAGE) std::free(block);
  else munmap(block, mappedBytes(bytes));
}
#else
void* allocateZeros(size_t bytes) { return std::calloc(bytes, 1); }
void freeZeros(void* block, size_t) { std::free(block); }
#endif

}  // namespace spikellm
