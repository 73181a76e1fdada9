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
  /// Ends the device after the work that is queued.
  void close();

  Device device;

 private:
  struct Completion;
  static void settle(napi_env env, napi_value, void* context, void* data);

  napi_threadsafe_function loop_ = nullptr;
  size_t pending_ = 0;
};

}  // namespace spikellm
