#include "device.h"

#include <new>

#include "spin.h"

namespace spikellm {

Device::Device(const KernelEntry* kernels, unsigned threads)
    : kernels_(kernels), pool_(threads), worker_([this] { work(); }) {}
Device::~Device() { join(); }

void Device::join() {
  if (worker_.joinable()) worker_.join();
}

void Device::enqueue(std::function<void()> job) { enqueue(Entry{{}, std::move(job)}); }
void Device::enqueue(Run run) { enqueue(Entry{std::move(run), nullptr}); }

void Device::enqueue(Entry entry) {
  bool wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(entry));
    queued_ = queue_.size();
    wake = asleep_;
  }
  if (wake) ready_.notify_one();
}

void Device::close(bool abandon, std::function<void()> last) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (abandon) queue_.clear();
    if (!closing_) last_ = std::move(last);
    closing_ = true;
  }
  ready_.notify_one();
}

void Device::work() {
  const auto called = [this] { return closing_ || queued_ > 0; };
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (!called()) {
      lock.unlock();
      spinUntil(called);
      lock.lock();
    }
    asleep_ = true;
    ready_.wait(lock, called);
    asleep_ = false;
    if (queue_.empty()) break;
    {
      const Entry entry = std::move(queue_.front());
      queue_.pop_front();
      queued_ = queue_.size();
      lock.unlock();
      if (entry.job) entry.job();
      else compute(entry.run);
    }  // gives its buffers back before the next wait
    lock.lock();
  }
  auto last = std::move(last_);
  lock.unlock();
  // At once: JavaScript may hold on to the device for long.
  pool_.stop();
  blocks_.clear();
  memory_->clear();
  if (last) last();
}

void Device::compute(const Run& run) {
  aborted_ = run.aborted.get();
  if (aborted_ != nullptr && *aborted_) return;
  void* operands[MOST_OPERANDS];
  for (size_t i = 0; i < run.operands.size(); i++) {
    operands[i] = run.operands[i] == nullptr ? nullptr : run.operands[i]->data();
  }
  try {
    kernels_[run.kernel].run(Call{operands, run.numbers.data(), this, run.kernel});
  } catch (const std::bad_alloc&) {
    report(Fault{Fault::MEMORY, run.kernel, 0, 0});
  }
  freeScratch();
}

void Device::forEach(size_t count, Body body, const void* context) { pool_.run(count, body, context, aborted_); }

void* Device::scratch(size_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  wanted_ += bytes;
  if (blocks_.empty() || used_ + bytes > blocks_.back()->bytes()) {
    auto block = Buffer::create(memory_, bytes);
    if (block == nullptr) throw std::bad_alloc();
    blocks_.push_back(std::move(block));
    used_ = 0;
  }
  void* memory = blocks_.back()->data() + used_;
  used_ += bytes;
  return memory;
}

/// Keeps one block, large enough for what the kernel used, so that the next one finds it ready.
void Device::freeScratch() {
  if (blocks_.size() > 1) {
    blocks_.clear();
    auto block = Buffer::create(memory_, wanted_);
    if (block != nullptr) blocks_.push_back(std::move(block));
  }
  used_ = wanted_ = 0;
}

void Device::report(const Fault& fault) {
  if (aborted_ != nullptr && *aborted_) return;  // what it was computed from may mean nothing
  std::lock_guard<std::mutex> lock(faultMutex_);
  if (fault_.kind == Fault::NONE) fault_ = fault;
}

Fault Device::takeFault() {
  std::lock_guard<std::mutex> lock(faultMutex_);
  const Fault fault = fault_;
  fault_ = Fault{};
  return fault;
}

// What kernels see of the device.
unsigned threadCount(const Call& call) { return call.device->threads(); }
void forEach(const Call& call, size_t count, Body body, const void* context) {
  call.device->forEach(count, body, context);
}
void* scratch(const Call& call, size_t bytes) { return call.device->scratch(bytes); }
void reportIndex(const Call& call, int64_t index, int64_t limit) {
  call.device->report(Fault{Fault::INDEX, call.kernel, index, limit});
}

}  // namespace spikellm
