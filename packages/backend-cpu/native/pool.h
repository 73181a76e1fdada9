#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/call.h"

namespace spikellm {

/// Set by whoever wants work to stop.
using Flag = std::shared_ptr<std::atomic<bool>>;

/// Threads that share the items of one kernel at a time. The caller is one of them; the others join where they are awake
/// in time, so that no kernel waits for a thread to wake up, and sleep when there has been no kernel for a while.
class Pool {
 public:
  explicit Pool(unsigned threads);
  ~Pool() { stop(); }
  unsigned size() const { return static_cast<unsigned>(helpers_.size()) + 1; }
  /// Runs body(context, item, thread) for the items 0..count-1 and waits for all of them. Takes no new item once `stop`
  /// is set; it may be null.
  void run(size_t count, Body body, const void* context, const std::atomic<bool>* stop);
  /// Ends the other threads. Nothing runs after that.
  void stop();

 private:
  void help(unsigned thread);
  void takeItems(unsigned thread);

  std::vector<std::thread> helpers_;
  std::mutex mutex_;
  std::condition_variable start_, done_;
  // One round of work; written under the mutex while no helper is inside.
  Body body_ = nullptr;
  const void* context_ = nullptr;
  size_t count_ = 0;
  const std::atomic<bool>* stop_ = nullptr;
  std::atomic<size_t> next_{0};
  // Written under the mutex; read without it by threads that spin.
  std::atomic<uint64_t> round_{0};
  std::atomic<unsigned> inside_{0};
  std::atomic<bool> stopping_{false};
  bool open_ = false;
  unsigned asleep_ = 0;
};

}  // namespace spikellm
