#include "slabs.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "pages.h"

namespace spikellm {

namespace {
constexpr size_t ALIGNMENT = 64;
/// Pages that no block has touched are not resident, so only the last page of a slab can be held in vain.
constexpr size_t SLAB = size_t{64} << 20;
}  // namespace

class Slabs::Slab {
 public:
  explicit Slab(size_t bytes) : bytes_(bytes), memory_(static_cast<uint8_t*>(allocateZeros(bytes))) { reset(); }
  ~Slab() {
    if (memory_ != nullptr) freeZeros(memory_, bytes_);
  }
  bool usable() const { return memory_ != nullptr; }

  uint8_t* take(size_t bytes) {
    if (bytes > bytes_ - used_) return nullptr;
    uint8_t* block = memory_ + used_;
    if (used_ < touched_) std::memset(block, 0, std::min(bytes, touched_ - used_));
    used_ += bytes;
    touched_ = std::max(touched_, used_);
    return block;
  }
  /// Begins again; no block may be left.
  void reset() { used_ = (ALIGNMENT - reinterpret_cast<uintptr_t>(memory_) % ALIGNMENT) % ALIGNMENT; }

 private:
  size_t bytes_, used_ = 0, touched_ = 0;
  uint8_t* memory_;
};

std::shared_ptr<uint8_t> Slabs::take(size_t bytes) {
  // Once to align the next block, once so that a vector load of the last elements stays inside.
  const size_t whole = (bytes + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (newest_ != nullptr && newest_.use_count() == 1) {
    std::atomic_thread_fence(std::memory_order_acquire);  // what other threads did with its blocks is done
    newest_->reset();
  }
  uint8_t* block = newest_ == nullptr ? nullptr : newest_->take(whole);
  if (block == nullptr) {
    const size_t pages = (whole + ALIGNMENT + LARGE_PAGE - 1) / LARGE_PAGE;
    auto slab = std::make_shared<Slab>(std::max(SLAB, pages * LARGE_PAGE));
    if (!slab->usable()) return nullptr;
    newest_ = std::move(slab);
    block = newest_->take(whole);
  }
  return {newest_, block};
}

}  // namespace spikellm
