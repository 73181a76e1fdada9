#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace spikellm {

class Slabs;

/// Large blocks that were given back, kept for the next allocation of their size: fresh pages cost more to touch than
/// used ones to clear, and a model asks for the same sizes over and over.
class BlockCache {
 public:
  ~BlockCache() { clear(); }
  /// A zero-filled block; null where there is no memory.
  void* take(size_t bytes);
  void give(void* block, size_t bytes);
  /// Frees what is kept.
  void clear();

 private:
  std::mutex mutex_;
  std::multimap<size_t, void*> blocks_;
  size_t kept_ = 0;
};

/// 64-byte aligned, zero-filled memory. Queued work shares it, so it outlives its release.
class Buffer {
 public:
  /// Null where there is no memory.
  static std::shared_ptr<Buffer> create(std::shared_ptr<BlockCache> cache, size_t bytes);
  /// The same for memory that stays.
  static std::shared_ptr<Buffer> createLasting(Slabs& slabs, size_t bytes);
  ~Buffer();
  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<BlockCache> cache_;
  void* block_ = nullptr;
  std::shared_ptr<uint8_t> share_;  // in place of a block where the memory stays
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace spikellm
