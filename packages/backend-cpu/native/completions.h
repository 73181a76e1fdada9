#pragma once
#include <node_api.h>

#include "device.h"

namespace spikellm {

/// A device as JavaScript has it: with a way back to the event loop, which promises of queued work are resolved on.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(const KernelEntry* kernels, unsigned threads) : device(kernels, threads) {}
  /// Opens the way back. The session then lives until its device has ended.
  void open(napi_env env);
  /// Runs `job` in order on the device; the promise resolves to undefined, or to the fault of the work before.
  napi_value promise(napi_env env, napi_value kept, std::function<void()> job);
  /// Keeps a buffer until `release`; the number stands for it in JavaScript.
  int32_t keep(std::shared_ptr<Buffer> buffer);
  /// The buffer behind a number; null for 0.
  const std::shared_ptr<Buffer>& buffer(int32_t storage) const { return storages_[static_cast<size_t>(storage)]; }
  void release(int32_t storage);

  /// Ends the device after the work that is queued.
  void close();

  Device device;
  /// What the next run is called with, written by JavaScript.
  const int32_t* operands = nullptr;
  const double* numbers = nullptr;

 private:
  struct Completion;
  static void settle(napi_env env, napi_value, void* context, void* data);

  napi_threadsafe_function loop_ = nullptr;
  size_t pending_ = 0;
  std::vector<std::shared_ptr<Buffer>> storages_{nullptr};
  std::vector<int32_t> free_;
};

}  // namespace spikellm
