#include "memory.h"

#include <cstdlib>
#include <cstring>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace spikellm {

namespace {
constexpr size_t ALIGNMENT = 64;
/// Twice the alignment: once to align, once so that a vector load of the last elements stays inside.
constexpr size_t SPARE = 2 * ALIGNMENT;
/// Blocks below this are left to the C library.
constexpr size_t SMALLEST_KEPT = 65536;
constexpr size_t MOST_KEPT = size_t{128} << 20;

/// Zeros, and how they are given back.
#ifdef __linux__
/// Weights are read as streams, which pages of this size make faster by a quarter and more; Linux gives them to those who
/// ask. Blocks below it are left to the C library.
constexpr size_t HUGE_PAGE = size_t{2} << 20;
/// A multiple of every usual page size.
constexpr size_t PAGE = size_t{64} << 10;

size_t mappedBytes(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

void* allocateZeros(size_t bytes) {
  if (bytes < HUGE_PAGE) return std::calloc(bytes, 1);
  const size_t mapped = mappedBytes(bytes);
  void* memory = mmap(nullptr, mapped + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* start = static_cast<uint8_t*>(memory);
  const size_t before = (HUGE_PAGE - reinterpret_cast<uintptr_t>(start) % HUGE_PAGE) % HUGE_PAGE;
  if (before > 0) munmap(start, before);
  munmap(start + before + mapped, HUGE_PAGE - before);
  madvise(start + before, mapped, MADV_HUGEPAGE);
  return start + before;
}
void freeBlock(void* block, size_t bytes) {
  if (bytes < HUGE_PAGE) std::free(block);
  else munmap(block, mappedBytes(bytes));
}
#else
void* allocateZeros(size_t bytes) { return std::calloc(bytes, 1); }
void freeBlock(void* block, size_t) { std::free(block); }
#endif
}  // namespace

void BlockCache::clear() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [bytes, block] : blocks_) freeBlock(block, bytes);
  blocks_.clear();
  kept_ = 0;
}

void* BlockCache::take(size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = blocks_.find(bytes);
    if (found != blocks_.end()) {
      void* block = found->second;
      blocks_.erase(found);
      kept_ -= bytes;
      return std::memset(block, 0, bytes);
    }
  }
  return allocateZeros(bytes);
}

void BlockCache::give(void* block, size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (bytes >= SMALLEST_KEPT && kept_ + bytes <= MOST_KEPT) {
      blocks_.emplace(bytes, block);
      kept_ += bytes;
      return;
    }
  }
  freeBlock(block, bytes);
}

std::shared_ptr<Buffer> Buffer::create(std::shared_ptr<BlockCache> cache, size_t bytes) {
  auto buffer = std::make_shared<Buffer>();
  buffer->block_ = cache->take(bytes + SPARE);
  if (buffer->block_ == nullptr) return nullptr;
  const auto address = reinterpret_cast<uintptr_t>(buffer->block_);
  buffer->data_ = reinterpret_cast<uint8_t*>((address + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  buffer->bytes_ = bytes;
  buffer->cache_ = std::move(cache);
  return buffer;
}

Buffer::~Buffer() {
  if (block_ != nullptr) cache_->give(block_, bytes_ + SPARE);
}

}  // namespace spikellm
