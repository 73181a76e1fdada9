#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace spikellm {

/// Memory for blocks that stay, such as packed weights, side by side: a block of its own would end in small pages, and a
/// stream over it would be held up there. A slab is given back when the last of its blocks is.
class Slabs {
 public:
  /// A zero-filled block; null where there is no memory.
  std::shared_ptr<uint8_t> take(size_t bytes);

 private:
  class Slab;
  std::shared_ptr<Slab> newest_;
};

}  // namespace spikellm
