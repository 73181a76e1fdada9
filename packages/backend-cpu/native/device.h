#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "memory.h"
#include "pool.h"
#include "slabs.h"

namespace spikellm {

/// What went wrong in queued work: the first of it since the last look.
struct Fault {
  enum Kind { NONE, INDEX, MEMORY } kind = NONE;
  int kernel = -1;
  int64_t index = 0, limit = 0;
};

/// A run of a kernel.
struct Run {
  int kernel = -1;
  std::vector<std::shared_ptr<Buffer>> operands;
  std::vector<double> numbers;
  /// Drops or stops the run; may be null.
  Flag aborted;
};

/// A queue of work and the threads that do it, in order. One thread works off the queue; kernels spread over the pool.
class Device {
 public:
  Device(const KernelEntry* kernels, unsigned threads);
  ~Device();
  const KernelEntry* kernels() const { return kernels_; }
  unsigned threads() const { return pool_.size(); }

  void enqueue(std::function<void()> job);
  void enqueue(Run run);
  /// The fault of the work done so far; the next one is kept again. Called by queued work only.
  Fault takeFault();
  /// Ends the queue's thread, after the work that is queued or, if `abandon`, without it. Does not wait.
  void close(bool abandon, std::function<void()> last);
  void join();

  const std::shared_ptr<BlockCache>& memory() const { return memory_; }
  /// Memory for weights. Used by one thread.
  Slabs& slabs() { return slabs_; }

  // What kernels ask for, see kernels/call.h.
  void forEach(size_t count, Body body, const void* context);
  void* scratch(size_t bytes);
  void report(const Fault& fault);

 private:
  /// One entry of the queue: a run, or a job.
  struct Entry {
    Run run;
    std::function<void()> job;
  };

  void enqueue(Entry entry);
  void work();
  void compute(const Run& run);
  void freeScratch();

  const KernelEntry* kernels_;
  std::shared_ptr<BlockCache> memory_ = std::make_shared<BlockCache>();
  Slabs slabs_;
  Pool pool_;
  std::deque<Entry> queue_;
  std::mutex mutex_;
  std::condition_variable ready_;
  // Written under the mutex; read without it by the worker when it spins.
  std::atomic<size_t> queued_{0};
  std::atomic<bool> closing_{false};
  bool asleep_ = false;
  std::function<void()> last_;
  Fault fault_;
  std::mutex faultMutex_;
  const std::atomic<bool>* aborted_ = nullptr;  // of the run that is computed
  // Scratch of the running kernel is one block that grows to the largest use.
  std::vector<std::shared_ptr<Buffer>> blocks_;
  size_t used_ = 0, wanted_ = 0;
  std::thread worker_;
};

}  // namespace spikellm
