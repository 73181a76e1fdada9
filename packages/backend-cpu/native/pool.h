#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/call.h"

namespace spikellm {

/// Threads that share the items of one kernel at a time. The caller is one of them; the others sleep between kernels.
class Pool {
 public:
  explicit Pool(unsigned threads);
  ~Pool();
  unsigned size() const { return static_cast<unsigned>(helpers_.size()) + 1; }
  /// Runs body(context, item, thread) for the items 0..count-1 and waits for all of them.
  void run(size_t count, Body body, const void* context);

 private:
  void help(unsigned thread);
  void takeItems(unsigned thread);

  std::vector<std::thread> helpers_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  // One round of work; written under the mutex while no helper works.
  Body body_ = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  uint64_t round_ = 0;
  size_t working_ = 0;
  bool stopping_ = false;
};

}  // namespace spikellm
