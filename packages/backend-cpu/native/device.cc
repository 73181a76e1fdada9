#include "device.h"

#include <new>

namespace spikellm {

Device::Device(const KernelEntry* kernels, unsigned threads)
    : kernels_(kernels), pool_(threads), worker_([this] { work(); }) {}
Device::~Device() { join(); }

void Device::join() {
  if (worker_.joinable()) worker_.join();
}

void Device::enqueue(std::function<void()> job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(job));
  }
  ready_.notify_one();
}

void Device::enqueueKernel(int kernel, std::vector<std::shared_ptr<Buffer>> operands, std::vector<double> numbers) {
  enqueue([this, kernel, operands = std::move(operands), numbers = std::move(numbers)] {
    std::vector<void*> pointers;
    for (const auto& operand : operands) pointers.push_back(operand ? operand->data() : nullptr);
    try {
      kernels_[kernel].run(Call{pointers.data(), numbers.data(), this, kernel});
    } catch (const std::bad_alloc&) {
      report(Fault{Fault::MEMORY, kernel, 0, 0});
    }
    freeScratch();
  });
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
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    if (queue_.empty()) break;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // gives its buffers back before the next wait
    lock.lock();
  }
  auto last = std::move(last_);
  lock.unlock();
  if (last) last();
}

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
  call.device->pool().run(count, body, context);
}
void* scratch(const Call& call, size_t bytes) { return call.device->scratch(bytes); }
void reportIndex(const Call& call, int64_t index, int64_t limit) {
  call.device->report(Fault{Fault::INDEX, call.kernel, index, limit});
}

}  // namespace spikellm
