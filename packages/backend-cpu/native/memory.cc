#include "memory.h"

#include <cstring>

#include "pages.h"
#include "slabs.h"

namespace spikellm {

namespace {
constexpr size_t ALIGNMENT = 64;
/// Twice the alignment: once to align, once so that a vector load of the last elements stays inside.
constexpr size_t SPARE = 2 * ALIGNMENT;
/// Blocks below this are left to the C library.
constexpr size_t SMALLEST_KEPT = 65536;
constexpr size_t MOST_KEPT = size_t{128} << 20;
}  // namespace

void BlockCache::clear() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [bytes, block] : blocks_) freeZeros(block, bytes);
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
  freeZeros(block, bytes);
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

std::shared_ptr<Buffer> Buffer::createLasting(Slabs& slabs, size_t bytes) {
  auto buffer = std::make_shared<Buffer>();
  buffer->share_ = slabs.take(bytes);
  if (buffer->share_ == nullptr) return nullptr;
  buffer->data_ = buffer->share_.get();
  buffer->bytes_ = bytes;
  return buffer;
}

Buffer::~Buffer() {
  if (block_ != nullptr) cache_->give(block_, bytes_ + SPARE);
}

}  // namespace spikellm
