#pragma once
#include <atomic>

#include "kernels/call.h"

namespace spikellm {

/// Threads that share the items of one kernel at a time. The caller is one of them and never sleeps, since a page's main
/// thread may not; the others join where they are awake in time, and sleep when there has been no kernel for a while.
class Pool {
 public:
  void open(unsigned threads) { threads_ = threads; }
  unsigned size() const { return threads_; }
  /// Runs body(context, item, thread) for the items 0..count-1 and waits for all of them.
  void run(size_t count, Body body, const void* context);
  /// Works for other threads' kernels, as the thread of this number, until `close`.
  void help(unsigned thread);
  void close();

 private:
  void takeItems(unsigned thread);

  unsigned threads_ = 1;
  // One round of work; written while the gate is closed and nobody is inside.
  Body body_ = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  /// Odd while a round is open.
  std::atomic<int32_t> gate_{0};
  std::atomic<uint32_t> inside_{0}, asleep_{0};
  std::atomic<bool> closing_{false};
};

}  // namespace spikellm
